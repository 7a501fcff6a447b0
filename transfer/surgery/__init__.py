"""Graph and tensors together, a `Network`: opening one from a file, extracting from it. No Keras."""
