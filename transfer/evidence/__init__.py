"""What a result is worth: intervals, and the simple things that it must beat."""
