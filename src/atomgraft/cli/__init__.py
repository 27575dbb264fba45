"""The command line: one verb a file, nothing but parsing and printing."""
