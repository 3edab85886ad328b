"""This process: its environment, its signals, and how the Python interpreter runs."""
