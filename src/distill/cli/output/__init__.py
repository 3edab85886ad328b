"""What the terminal shows: a run, texts, and the standard streams that they go to."""
