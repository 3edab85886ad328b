"""What is marked over the curves: checkpoints, previews, interruptions."""
