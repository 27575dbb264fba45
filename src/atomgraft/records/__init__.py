"""What is on disk: scores, provenance, one way to write, read and upgrade."""
