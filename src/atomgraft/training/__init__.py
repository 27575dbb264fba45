"""The training loop, its objective, schedule and checkpoints."""
