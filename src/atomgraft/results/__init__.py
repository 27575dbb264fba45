"""What a run leaves on disk: schema, read, write, upgrade."""
