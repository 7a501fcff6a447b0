"""Which recipe is best for a set."""
