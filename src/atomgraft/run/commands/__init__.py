"""The commands of a run: parsing and printing."""
