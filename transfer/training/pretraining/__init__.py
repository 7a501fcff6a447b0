"""Teaching an encoder from examples without labels: an objective a file, and the loop that follows any of them."""
