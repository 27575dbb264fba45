"""Conformance kits for authors of adapters and adaptations."""
