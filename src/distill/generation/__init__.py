"""Generating sounds with a saved model, each with a recipe that can repeat it.

`generated_sound` generates new sounds, `streamed_transform` sends sounds of any length through a model; the `recipe`
says how, is written into the file's own metadata and into the `sound_history`.  Only these two import torch when they
are imported.
"""
