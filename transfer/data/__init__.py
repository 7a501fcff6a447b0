"""Labelled sets: reading them from folders and arrays, decoding their pictures, splitting them."""
