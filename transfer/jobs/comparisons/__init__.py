"""Whether it pays: against everything simple, and with more labels."""
