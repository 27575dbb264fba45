"""Vibrations of many materials, and what their DFT costs."""
