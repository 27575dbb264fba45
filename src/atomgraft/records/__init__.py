"""Records on disk: scores, provenance, writing, reading and upgrading."""
