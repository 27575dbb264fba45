"""Graft a pretrained atomistic model onto your material, and prove that it took."""

__version__ = "0.1.0"
