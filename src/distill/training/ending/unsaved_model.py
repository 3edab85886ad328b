"""A trained model that could not be written: kept in memory, to be written elsewhere, and what the user is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.models.persistence import write_model_file
from distill.training.run import Run
from distill.training.save_progress import last_checkpoint_text


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


def unsaved_model_text(run: Run, reason: str, is_checkpoint_missing: bool) -> str:
    """Return the sentences about a run whose model could not be saved."""
    text = f"{reason} Make room on the disk of {run.folder.path}, or make it writable"
    if not is_checkpoint_missing:
        return f"{text}, then resume the run: it saves the model."
    return f"{text}. {last_checkpoint_text(run)}"
