"""Generating sounds with a saved model, and the history of generated sounds."""
