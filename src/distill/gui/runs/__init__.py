"""The list of earlier runs."""
