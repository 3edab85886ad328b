"""The sidecar of a checkpoint: its epoch and losses in a small file beside it."""

import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from distill.errors import CheckpointError
from distill.json_files import read_json, write_json
from distill.serialization.checkpoint_reader import read_checkpoint


def sidecar_of(path: Path) -> Path:
    """Return the path of a checkpoint's sidecar."""
    return path.with_suffix(".meta.json")


def sidecar_metadata(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sidecar of a checkpoint; a loss that is no finite number is null.

    That of an unfinished epoch also holds ``step_in_epoch``, the number of its steps that are done.
    """

    def finite(value: Any) -> float | None:
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None

    facts = {
        "epoch": int(checkpoint["epoch"]),
        "train_loss": finite(checkpoint["train_loss"]),
        "val_loss": finite(checkpoint["val_loss"]),
    }
    state = checkpoint.get("training_state")
    if isinstance(state, Mapping) and state.get("epoch_completed") is False and type(state.get("step_in_epoch")) is int:
        facts["step_in_epoch"] = state["step_in_epoch"]
    return facts


def losses_of(path: Path) -> dict[str, Any] | None:
    """Return epoch and losses of a checkpoint by its sidecar, which is made again where it is missing or damaged.

    None where the checkpoint is damaged itself.
    """
    return _read_sidecar(path) or _rebuild_sidecar(path)


def _read_sidecar(path: Path) -> dict[str, Any] | None:
    """Return what the sidecar of a checkpoint says, or None where it is missing or damaged."""
    try:
        facts = read_json(sidecar_of(path))
        epoch, losses = facts["epoch"], (facts["train_loss"], facts["val_loss"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return None
    numbers = all(v is None or (isinstance(v, (int, float)) and abs(v) < math.inf) for v in losses)
    if not isinstance(epoch, int) or isinstance(epoch, bool) or not numbers:
        return None
    return {"epoch": epoch, "train_loss": losses[0], "val_loss": losses[1]}


def _rebuild_sidecar(path: Path) -> dict[str, Any] | None:
    """Make the sidecar of a checkpoint again from the checkpoint; None where that is damaged itself."""
    try:
        facts = sidecar_metadata(read_checkpoint(path))
    except (CheckpointError, TypeError, ValueError):
        return None
    with suppress(OSError):
        write_json(sidecar_of(path), facts)
    return facts
