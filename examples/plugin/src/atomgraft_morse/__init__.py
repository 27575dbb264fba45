"""Morse potentials of metals, and a recipe: an example of a plug-in."""
