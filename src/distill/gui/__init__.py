"""The window.  Nothing in here imports torch when it is imported."""
