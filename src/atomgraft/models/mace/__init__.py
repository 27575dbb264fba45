"""MACE: all models of mace-torch, published ones, and small ones by preset."""
