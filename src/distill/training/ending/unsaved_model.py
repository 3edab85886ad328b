"""A trained model that could not be written: kept in memory, so that it can be written elsewhere."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.models.persistence import write_model_file


@dataclass(frozen=True)
class UnsavedModel:
    """What a model file holds, without the file."""

    contents: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the model."""
        return str(self.contents["metadata"]["name"])

    def save(self, target: Path) -> Path:
        """Write the model file, whole or not at all, and return its path.

        Parameters
        ----------
        target
            A file that ends in ``.distill``, or the folder of a library.

        Raises
        ------
        ModelFileError
            Network and settings do not fit each other; nothing was written.
        OSError
            It cannot be written.
        """
        return write_model_file(target, self.contents)
