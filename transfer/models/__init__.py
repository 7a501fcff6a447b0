"""The border to Keras: network to model and back, restoring, saving. TensorFlow is imported from here upwards."""
