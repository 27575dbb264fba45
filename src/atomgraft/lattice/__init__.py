"""Phonons of one crystal with a potential, by finite displacements."""
