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

import os

# A thread that waits for the others spins, by default for so long that on a busy computer (a DAW beside this window) it
# takes from them what they need: two threads took ten times as long as one.  Read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"
