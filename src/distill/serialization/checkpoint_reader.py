"""Reads checkpoints, checked but not applied to anything."""

from pathlib import Path
from types import NoneType
from typing import Any

from distill.computing.devices import pick_device
from distill.errors import CheckpointError
from distill.serialization.archive import read_archive
from distill.serialization.optimizer_state import state_problem
from distill.serialization.weight_checks import check_weights

CHECKPOINT_VERSION = 1
CHECKPOINT_FORMAT = "distill_checkpoint"
_CHECKPOINT_KEYS = frozenset(
    ("version", "epoch", "step", "model_state_dict", "optimizer_state_dict", "scheduler_state_dict", "train_loss",
     "val_loss", "training_config", "spectrogram_config", "metrics_history")
)  # fmt: skip


def read_checkpoint(path: Path | str, device: str = "cpu") -> dict[str, Any]:
    """Return what a checkpoint holds, checked but not applied to anything.

    Raises
    ------
    CheckpointError
        The file is missing, truncated, damaged, foreign, or from a newer version; the message says which.
    ConfigurationError
        The device is unknown or not there.
    """
    path = Path(path)
    data = read_archive(path, "checkpoint", CheckpointError, pick_device(device))
    version = data.get("version")
    if type(version) is int and version > CHECKPOINT_VERSION and "model_state_dict" in data:
        raise CheckpointError(
            f"{path.name} was written by a newer version of Distill (format {version}, this one reads up to "
            f"{CHECKPOINT_VERSION}). Update Distill to open it."
        )
    if type(version) is not int or version != CHECKPOINT_VERSION or not data.keys() >= _CHECKPOINT_KEYS:
        raise CheckpointError(f"{path.name} is not a checkpoint of Distill.")
    if not _has_its_parts(data):
        raise CheckpointError(f"{path.name} is damaged: its parts are not what they should be. Use another checkpoint.")
    check_weights(data["model_state_dict"], path, "checkpoint", CheckpointError)
    problem = state_problem(data["optimizer_state_dict"], data["scheduler_state_dict"])
    if problem is not None:
        raise CheckpointError(f"{path.name} is damaged: it holds {problem}. Use another checkpoint.")
    return data


def _has_its_parts(checkpoint: dict[str, Any]) -> bool:
    """Whether each part of a checkpoint is of its kind."""
    has_counts = all(type(checkpoint[key]) is int and checkpoint[key] >= 0 for key in ("epoch", "step"))
    has_losses = all(isinstance(checkpoint[key], (int, float, NoneType)) for key in ("train_loss", "val_loss"))
    has_tables = all(
        isinstance(checkpoint[key], dict) for key in ("training_config", "spectrogram_config", "metrics_history")
    )
    return has_counts and has_losses and has_tables and isinstance(checkpoint.get("training_state"), (dict, NoneType))
