"""The training engine: settings in, events and files out.

The public names are declared once, in ``__init__.pyi``, and imported on first use: the window reads
``TrainingConfig`` long before it can wait for torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
