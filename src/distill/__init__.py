"""Distill: train a small audio model on your own sounds, and hear it learn.

The folders follow the data flow, and a module imports only the layers below its own::

    cli/, gui/                the terminal and the window; only gui imports Qt
    generation/, playback/    new sounds from a model; the player
    training/                 the one training loop, data, checkpoints, previews
    library/, runs/           the model library; what a run is on disk
    models/                   networks, losses, families, `.distill` files
    audio/, serialization/    sounds on disk -> corpus -> spectrograms; files that torch.save writes
    config/, events, history  settings, what the loop reports, what it reported
    files, paths, errors, ... what everything stands on

``.github/ARCHITECTURE.md`` says more.  Importing this package imports nothing else: the window must be on screen before
torch is imported.
"""

__version__ = "0.1.0"
