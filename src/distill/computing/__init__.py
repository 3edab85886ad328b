"""How torch computes in this process: side by side, and so that it can be stopped; and what is written beside it."""
