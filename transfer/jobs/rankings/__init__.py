"""Which checkpoint to start from, and where to cut it."""
