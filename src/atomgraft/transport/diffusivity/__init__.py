"""Diffusivity and conductivity of ions from trajectories of molecular dynamics."""
