"""Ends a run: finishing early, the last checkpoint, the model file, and the record."""
