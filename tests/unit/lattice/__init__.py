"""Tests of lattice."""
