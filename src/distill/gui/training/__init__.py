"""Training controls and settings."""
