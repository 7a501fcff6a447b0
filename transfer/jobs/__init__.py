"""The whole jobs that people ask for, composed from the floors below."""
