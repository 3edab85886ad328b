"""Sounds at positions of a model's map, and the map as data and as a picture."""
