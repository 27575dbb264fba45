"""Motion under a potential: batched molecular dynamics, trajectories on disk."""
