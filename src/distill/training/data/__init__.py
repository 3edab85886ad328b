"""Training data: the split into training and held-out sounds, and cached features."""
