"""Many levels of theory: what cheap labels buy in dear ones."""
