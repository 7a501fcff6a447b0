"""Encoders from examples without labels, and whether they help."""
