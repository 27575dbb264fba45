"""Which structures to label, and inputs for the programs that label them."""
