"""Label errors, forgetting and physics probes."""
