"""Notebook 04: AffectGPT, which sees, hears and reads a clip, and its SFT (section 2.2)."""
