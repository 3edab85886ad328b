"""Runs side by side: curves, settings, and the same sounds of each."""
