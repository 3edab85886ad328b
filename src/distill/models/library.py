"""Public names of the model library, as part of `distill.models`; the classes are in `distill.library`."""

from distill.library.model_entry import ModelEntry
from distill.library.model_library import ModelLibrary

__all__ = ["ModelEntry", "ModelLibrary"]
