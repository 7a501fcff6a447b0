"""Fine-tuning as a whole job, and what it would cost, told before it."""
