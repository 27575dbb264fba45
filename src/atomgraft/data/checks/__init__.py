"""Checks of labelled structures before training, one kind per module."""
