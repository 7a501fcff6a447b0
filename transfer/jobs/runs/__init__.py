"""Runs on disk: their folders, what was asked of them, and whoever asks, compares, exports or follows them."""
