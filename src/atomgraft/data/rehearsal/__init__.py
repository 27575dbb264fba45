"""Structures to rehearse on where no data of the source are at hand."""
