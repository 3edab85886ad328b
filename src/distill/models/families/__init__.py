"""Model families: the seam between the training loop and the networks, one module a family."""

import importlib
from typing import TYPE_CHECKING

from distill.config.family_catalog import family_info
from distill.config.training import AnyConfig

if TYPE_CHECKING:
    from distill.models.families.family import ModelFamily


def make_family(config: AnyConfig) -> "ModelFamily":
    """Return the family object that trains what ``config`` describes.  Imports torch."""
    module, name = family_info(config.family).implementation.split(":")
    family: ModelFamily = getattr(importlib.import_module(module), name)(config)
    return family
