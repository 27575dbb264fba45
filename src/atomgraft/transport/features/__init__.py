"""Numbers that describe a material: composition, geometry, hops, pathways, models."""
