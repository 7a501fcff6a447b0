"""Tensors: opening, guarding, dialects, matching, writing, cards. No graph, no Keras."""
