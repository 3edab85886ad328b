"""What is computed from a run's sounds when its model is saved."""
