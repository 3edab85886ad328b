"""This process: its environment, its signals, how the Python interpreter runs, and torch's shared libraries."""
