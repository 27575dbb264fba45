"""Which recipe, how many labels, which learning rate."""
