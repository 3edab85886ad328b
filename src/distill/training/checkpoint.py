"""Checkpoints: written whole or not at all, kept in small number, and loaded only if all of them fits.

Beside each ``checkpoint_epoch0007.pt`` lies ``checkpoint_epoch0007.meta.json`` with its epoch and losses, so that
listing opens no checkpoint.  The sidecar is removed before its checkpoint is replaced and written after it: one that
is there belongs to the checkpoint beside it, and one that is missing or damaged is made again from the checkpoint.
"""

import copy
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from distill.archive import (
    CHECKPOINT_FORMAT,
    CHECKPOINT_VERSION,
    apply_state,
    plain_config,
    read_checkpoint,
    write_archive,
)
from distill.errors import CheckpointError
from distill.files import read_json, write_json


def checkpoint_path(folder: Path, epoch: int) -> Path:
    """Return the path of an epoch's checkpoint."""
    return folder / f"checkpoint_epoch{epoch:04d}.pt"


def _sidecar(path: Path) -> Path:
    return path.with_suffix(".meta.json")


def to_cpu_copy(value: Any) -> Any:
    """Return a copy of a state whose tensors lie on the CPU and are shared with nobody."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {k: to_cpu_copy(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(to_cpu_copy(v) for v in value)
    return copy.copy(value)


def make_checkpoint(
    model: nn.Module,
    optimizer: Optimizer,
    scheduler: LRScheduler,
    epoch: int,
    step: int,
    train_loss: float | None,
    val_loss: float | None,
    training_config: Any,
    spectrogram_config: Any,
    metrics_history_dict: dict[str, Any],
    training_state: dict[str, Any] | None = None,
    **family_fields: Any,
) -> dict[str, Any]:
    """Return what a checkpoint holds: a snapshot that later training does not change, ready for `write_checkpoint`.

    Parameters are those of `save_checkpoint`; ``family_fields`` are what only some families have.
    """
    return {
        "format": CHECKPOINT_FORMAT,
        "version": CHECKPOINT_VERSION,
        "epoch": epoch,
        "step": step,
        "model_state_dict": to_cpu_copy(model.state_dict()),
        "optimizer_state_dict": to_cpu_copy(optimizer.state_dict()),
        "scheduler_state_dict": to_cpu_copy(scheduler.state_dict()),
        "train_loss": train_loss,
        "val_loss": val_loss,
        "training_config": plain_config(training_config),
        "spectrogram_config": plain_config(spectrogram_config),
        "metrics_history": metrics_history_dict,
        "training_state": to_cpu_copy(training_state or {}),
        **family_fields,
    }


def write_checkpoint(path: Path, checkpoint: dict[str, Any]) -> Path:
    """Write a checkpoint and its sidecar.

    Raises
    ------
    OSError
        The disk is full or cannot be written to; what was at ``path`` before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sidecar(path).unlink(missing_ok=True)
    write_archive(path, checkpoint)
    write_json(_sidecar(path), _facts(checkpoint))
    return path


def _facts(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sidecar of a checkpoint; a loss that is no finite number is null."""

    def finite(value: Any) -> float | None:
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None

    return {
        "epoch": int(checkpoint["epoch"]),
        "train_loss": finite(checkpoint["train_loss"]),
        "val_loss": finite(checkpoint["val_loss"]),
    }


def save_checkpoint(
    path: Path | str,
    model: nn.Module,
    optimizer: Optimizer,
    scheduler: LRScheduler,
    epoch: int,
    step: int,
    train_loss: float | None,
    val_loss: float | None,
    kl_weight: float,
    training_config: Any,
    spectrogram_config: Any,
    metrics_history_dict: dict[str, Any],
    training_state: dict[str, Any] | None = None,
) -> Path:
    """Write a VAE's checkpoint and its sidecar; missing folders are made.

    Parameters
    ----------
    path
        ``.../checkpoint_epoch0007.pt``.
    model, optimizer, scheduler
        Their states are stored.
    epoch
        Epoch, counted from 0.
    step
        Steps taken in the run.
    train_loss, val_loss
        Losses of the epoch; None while it is in progress.
    kl_weight
        KL weight of the epoch.
    training_config, spectrogram_config
        Configurations, or dicts of them.
    metrics_history_dict
        ``MetricsHistory.to_dict()``.
    training_state
        What exact resuming needs beside the above: position in the epoch, schedule, digest of the sounds.

    Raises
    ------
    OSError
        The disk is full or cannot be written to; what was at ``path`` before is still there.
    """
    return write_checkpoint(
        Path(path),
        make_checkpoint(
            model, optimizer, scheduler, epoch, step, train_loss, val_loss, training_config, spectrogram_config,
            metrics_history_dict, training_state, kl_weight=kl_weight,
        ),
    )  # fmt: skip


def load_checkpoint(
    path: Path | str,
    model: nn.Module,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Load a checkpoint into a network and, where given, into its optimizer and scheduler; return all it holds.

    Raises
    ------
    CheckpointError
        The file is missing, truncated, damaged, foreign, from a newer version or of another network; model,
        optimizer and scheduler are then as they were.
    """
    path = Path(path)
    data = read_checkpoint(path, device)
    apply_checkpoint(path, data, model, optimizer, scheduler)
    return data


def apply_checkpoint(
    path: Path,
    data: dict[str, Any],
    model: nn.Module,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
) -> None:
    """Load what `read_checkpoint` returned, all of it or nothing.

    Raises
    ------
    CheckpointError
        It does not fit; everything is then as it was.
    """
    parts = [(p, data[k]) for p, k in ((optimizer, "optimizer_state_dict"), (scheduler, "scheduler_state_dict")) if p]
    before = [(part, copy.deepcopy(part.state_dict())) for part, _ in parts]
    try:
        for part, state in parts:
            part.load_state_dict(state)
            _check_moments(part, path)
        apply_state(model, data["model_state_dict"], "network", path, CheckpointError)
    except Exception as exc:
        for part, state in before:
            part.load_state_dict(state)
        if isinstance(exc, CheckpointError):
            raise
        raise CheckpointError(f"{path.name} does not fit this network: its optimizer's state is another.") from exc


def _check_moments(part: Optimizer | LRScheduler, path: Path) -> None:
    """Refuse an optimizer state whose moments have another shape than their weights: torch would not notice."""
    if not isinstance(part, Optimizer):
        return
    for parameter, state in part.state.items():
        for value in state.values():
            if isinstance(value, torch.Tensor) and value.ndim and value.shape != parameter.shape:
                raise CheckpointError(f"{path.name} does not fit this network: its optimizer's state is another.")


def list_checkpoints(folder: Path | str) -> list[dict[str, Any]]:
    """Return ``path``, ``epoch``, ``train_loss`` and ``val_loss`` of each whole checkpoint of a folder, by epoch.

    Sidecars alone are read.  One that is missing or damaged is made again from its checkpoint; a checkpoint that is
    then found to be damaged itself is left out.
    """
    found = []
    for path in sorted(Path(folder).glob("checkpoint_epoch*.pt")):
        facts = _read_sidecar(path) or _rebuild_sidecar(path)
        if facts is not None:
            found.append({"path": path, **facts})
    return sorted(found, key=lambda f: (f["epoch"], f["path"].name))


def _read_sidecar(path: Path) -> dict[str, Any] | None:
    try:
        facts = read_json(_sidecar(path))
        epoch, losses = facts["epoch"], (facts["train_loss"], facts["val_loss"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    numbers = all(v is None or (isinstance(v, (int, float)) and math.isfinite(v)) for v in losses)
    if not isinstance(epoch, int) or isinstance(epoch, bool) or not numbers:
        return None
    return {"epoch": epoch, "train_loss": losses[0], "val_loss": losses[1]}


def _rebuild_sidecar(path: Path) -> dict[str, Any] | None:
    try:
        facts = _facts(read_checkpoint(path))
    except (CheckpointError, TypeError, ValueError):
        return None
    with suppress(OSError):
        write_json(_sidecar(path), facts)
    return facts


def get_best_checkpoint(folder: Path | str) -> Path | None:
    """Return the checkpoint of lowest validation loss, or None; one of an epoch in progress is never the best."""
    measured = [f for f in list_checkpoints(folder) if f["val_loss"] is not None]
    best = min(measured, key=lambda f: (f["val_loss"], f["epoch"]), default=None)
    return None if best is None else Path(best["path"])


def manage_checkpoints(folder: Path | str, max_recent: int = 3) -> list[Path]:
    """Delete all checkpoints but the newest ``max_recent`` and the best; return the deleted ones.

    Raises
    ------
    ValueError
        ``max_recent`` is under 1.
    """
    if max_recent < 1:
        raise ValueError(f"max_recent must be at least 1, not {max_recent!r}.")
    listed = [Path(f["path"]) for f in list_checkpoints(folder)]
    keep = {*listed[-max_recent:], get_best_checkpoint(folder)}
    deleted = [path for path in listed if path not in keep]
    for path in deleted:
        path.unlink(missing_ok=True)
        _sidecar(path).unlink(missing_ok=True)
    return deleted
