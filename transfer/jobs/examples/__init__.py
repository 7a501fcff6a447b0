"""Examples on their way to a network: divided, dealt, read once, kept, and checked against what it takes."""
