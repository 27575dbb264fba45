"""The one loop, its objective, schedule and checkpoints."""
