"""Replay structures without training data of the source."""
