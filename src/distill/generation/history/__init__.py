"""The generated sounds that are kept: their files, the list of them, and the weights that made them."""
