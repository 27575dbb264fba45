"""Methods that predict a property of a material from numbers that describe it."""
