"""Vibrations of one crystal under models, beside DFT."""
