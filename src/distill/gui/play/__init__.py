"""The page that plays a model: its map, its sliders, and pads."""
