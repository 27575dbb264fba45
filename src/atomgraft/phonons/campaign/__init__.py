"""Phonons of many materials, and their cost in DFT."""
