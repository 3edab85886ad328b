"""Generating sounds with a saved model, each with a recipe that can repeat it.

`generated_sound` generates new sounds and sends sounds of any length through a model (`transform`); the `recipe` says
how, is written into the file's own metadata and into the `history`.  Only `generated_sound` and `transform` import
torch when they are imported.
"""
