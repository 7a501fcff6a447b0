"""What a report shows, gathered from a run."""
