"""Begins a run: its folder, its sounds, and its state, from the start or from a checkpoint."""
