"""One interface to all frameworks, one folder per framework."""
