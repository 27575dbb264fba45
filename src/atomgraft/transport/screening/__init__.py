"""The verb ``screen``: predictions for many structures, ranked."""
