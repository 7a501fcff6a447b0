"""Architectures as data: layers, the edges between them, and pure functions on them. No arrays, no Keras."""
