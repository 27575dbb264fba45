"""The kit of every page: document, blocks, axes, legends, wording."""
