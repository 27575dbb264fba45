"""Which structures to label, and the inputs of the programs that label them."""
