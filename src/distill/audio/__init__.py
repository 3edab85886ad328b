"""Sounds: finding and decoding them, and turning them into what a model learns from.

The public names are declared once, in ``__init__.pyi``, and imported on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
