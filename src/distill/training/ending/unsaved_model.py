"""A trained model that could not be written: kept in memory, to be written elsewhere, and what the user is told.

Beside it: what the user is told of a last checkpoint that could not be written.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.models.persistence import write_model_file
from distill.runs.checkpoint_folder import list_checkpoints
from distill.training.run import Run


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
    return f"{text}. {_where_it_stays(run)}"


def unwritten_checkpoint_text(run: Run, reason: str) -> str:
    """Return the sentences about a run whose last checkpoint could not be written."""
    return f"The last checkpoint could not be written ({reason}). {_where_it_stays(run)}"


def _where_it_stays(run: Run) -> str:
    """Return where a run is resumed whose last checkpoint could not be written."""
    listed = list_checkpoints(run.folder.checkpoints)
    if not listed:
        return "There is no checkpoint, so the run can only begin again."
    return f"The run can only be resumed from epoch {listed[-1]['epoch'] + 1}."  # counted from 1 for people
