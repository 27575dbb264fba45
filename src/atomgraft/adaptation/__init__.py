"""The four axes of an adaptation, named recipes, and the graft file."""
