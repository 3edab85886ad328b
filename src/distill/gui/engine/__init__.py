"""The bridge between the window and the training engine."""
