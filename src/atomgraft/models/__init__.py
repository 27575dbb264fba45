"""One interface to every framework, one file per framework."""
