"""Units, properties, errors, registries, seeds and provenance."""
