"""The page of a run, one section a module."""
