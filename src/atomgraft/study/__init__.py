"""Shared parts of commands: cells on Dask, environments, progress, options."""
