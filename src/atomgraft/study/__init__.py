"""How every verb works: cells on Dask, environments, progress, options."""
