"""Labelled structures: readers, checks, splits, reference energies."""
