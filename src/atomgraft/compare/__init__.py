"""Comparison of recipes, label counts and learning rates."""
