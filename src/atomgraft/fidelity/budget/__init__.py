"""How to spend a sum of processor hours on labels of several levels of theory."""
