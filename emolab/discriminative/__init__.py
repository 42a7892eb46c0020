"""Notebook 06: six emotions from sound, pictures and words, after MER2024-SEMI's winner."""
