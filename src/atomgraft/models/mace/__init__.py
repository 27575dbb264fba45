"""MACE: any model of mace-torch, the published ones, and small ones by preset."""
