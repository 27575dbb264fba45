"""Engines: what labels structures and moves atoms, each behind one seam."""
