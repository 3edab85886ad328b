"""The space of a model's latents: its two-dimensional map, and the sliders that move a sound in it."""
