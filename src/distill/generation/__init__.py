"""Generating sounds with a saved model, each with a recipe that can repeat it.

`new_sounds` draws new sounds, `transform` sends sounds of any length through a model, and `vary_morph_extend` makes
sounds from sounds; the `recipe` says how, is written into the file's own metadata and into the `sound_history`.  What
the window imports of this package imports no torch before a sound is made.
"""
