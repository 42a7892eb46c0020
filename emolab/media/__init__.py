"""What a model sees and hears of a clip: drawn frames, face crops, still images, sound (PyAV; no torch)."""
