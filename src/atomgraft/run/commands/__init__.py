"""The verbs of a run: parsing and printing, nothing else."""
