"""Vibrations of one crystal under a potential, by finite displacements."""
