"""The suite of motion: distances, angles, vibrations and melts of a material."""
