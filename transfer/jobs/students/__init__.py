"""A network about to learn, the recipe that it follows, and what its answers are worth."""
