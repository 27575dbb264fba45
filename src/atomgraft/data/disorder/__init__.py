"""Crystals whose sites are shared or partly filled, and ordered examples of them."""
