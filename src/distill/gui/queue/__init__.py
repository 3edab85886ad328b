"""The queue of runs in the window: what is trained one after the other."""
