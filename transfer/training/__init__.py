"""Recipes carried out: features, solving heads, tuning."""
