"""From file to file: parts of a network."""
