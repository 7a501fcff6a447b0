"""One small reader for each HDF5 layout that some Keras wrote; all of them yield a `Layout`."""
