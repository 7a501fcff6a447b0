"""Features of many examples, computed once into shards."""
