"""What is wrong with the data, found before it is trained on; one kind a module."""
