"""The suite of survival: how long a crystal stays one in molecular dynamics."""
