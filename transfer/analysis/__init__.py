"""Numbers about graphs and arrays: what a network costs, what its activations say, how far data has moved. No Keras."""
