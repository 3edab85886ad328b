"""Distill: train a small audio model on your own sounds, and hear it learn.

The folders follow the way of the data, and each step knows only those before it::

    files, errors, paths, validation, archive    what everything stands on
    audio/      sounds on disk -> corpus -> cache -> representation (spectrogram)
    models/     model families: network, loss, sampling; `.distill` files
    training/   configuration, dataset, the one loop, events, checkpoints, previews
    playback/   the player (no Qt)
    gui/        the window; ``gui/training_thread.py`` is its only bridge to the engine
    cli         the same engine in a terminal

Importing this package imports nothing else: the window must be on screen before torch is.
"""

__version__ = "0.1.0"
