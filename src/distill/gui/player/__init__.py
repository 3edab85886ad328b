"""The player toolbar."""
