"""Priors: what a model knows of where the latents of its corpus lie, so that it can draw new ones."""
