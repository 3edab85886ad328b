"""Checkpoints: written whole or not at all, and loaded only if all of them fits."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from distill.errors import CheckpointError, pass_on_memory_error
from distill.json_files import write_json
from distill.runs.checkpoint_folder import (
    checkpoint_path,
    get_best_checkpoint,
    list_checkpoints,
    manage_checkpoints,
    sidecar_metadata,
    sidecar_of,
)
from distill.serialization.archive import write_archive
from distill.serialization.checkpoint_reader import CHECKPOINT_FORMAT, CHECKPOINT_VERSION, read_checkpoint
from distill.serialization.optimizer_state import check_fits, lay_out_like_weights
from distill.serialization.plain_values import plain_config, plain_values
from distill.serialization.weight_checks import check_state

__all__ = [
    "CHECKPOINT_VERSION",
    "BestCheckpoint",
    "apply_checkpoint",
    "checkpoint_path",
    "get_best_checkpoint",
    "lacking",
    "list_checkpoints",
    "load_checkpoint",
    "load_vqvae_checkpoint",
    "make_checkpoint",
    "manage_checkpoints",
    "plain_config",
    "read_checkpoint",
    "save_checkpoint",
    "save_vqvae_checkpoint",
    "to_cpu_copy",
    "write_checkpoint",
]


@dataclass
class BestCheckpoint:
    """The checkpoint of the epoch of lowest validation loss so far; on disk it keeps what a model file needs."""

    epoch: int = -1
    val_loss: float = math.inf
    checkpoint: dict[str, Any] | None = None
    state: Literal["in memory", "being written", "on disk"] = "in memory"


def to_cpu_copy(value: Any, before: Any = None) -> Any:
    """Return a copy of a state whose tensors lie on the CPU and are shared with nobody.

    ``before`` is an earlier copy that is no longer needed: its tensors are written over where they fit, which is three
    times as fast as new memory.
    """
    if isinstance(value, torch.Tensor):
        if isinstance(before, torch.Tensor) and before.shape == value.shape and before.dtype == value.dtype:
            return before.copy_(value.detach())
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        earlier = before if isinstance(before, Mapping) else {}
        return {k: to_cpu_copy(v, earlier.get(k)) for k, v in value.items()}
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
    before: Mapping[str, Any] | None = None,
    **family_fields: Any,
) -> dict[str, Any]:
    """Return what a checkpoint holds: a snapshot that later training does not change, ready for `write_checkpoint`.

    Parameters are those of `save_checkpoint`; ``family_fields`` are what only some families have, and ``before`` is an
    earlier snapshot that is no longer needed (`to_cpu_copy`).
    """
    before = before or {}
    return {
        "format": CHECKPOINT_FORMAT,
        "version": CHECKPOINT_VERSION,
        "epoch": epoch,
        "step": step,
        "model_state_dict": to_cpu_copy(model.state_dict(), before.get("model_state_dict")),
        "optimizer_state_dict": to_cpu_copy(optimizer.state_dict(), before.get("optimizer_state_dict")),
        "scheduler_state_dict": to_cpu_copy(scheduler.state_dict()),
        "train_loss": train_loss,
        "val_loss": val_loss,
        "training_config": plain_config(training_config),
        "spectrogram_config": plain_config(spectrogram_config),
        "metrics_history": metrics_history_dict,
        "training_state": to_cpu_copy(training_state or {}, before.get("training_state")),
        **family_fields,
    }


def write_checkpoint(path: Path, checkpoint: dict[str, Any]) -> Path:
    """Write a checkpoint and its sidecar.

    Raises
    ------
    TypeError
        It holds something that a file may not hold; nothing was written.
    OSError
        The disk is full or cannot be written to; what was at ``path`` before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = plain_values(checkpoint, path.name)
    sidecar_of(path).unlink(missing_ok=True)
    write_archive(path, plain)
    write_json(sidecar_of(path), sidecar_metadata(plain))
    return path


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


def save_vqvae_checkpoint(
    path: Path | str,
    model: nn.Module,
    optimizer: Optimizer,
    scheduler: LRScheduler,
    epoch: int,
    step: int,
    train_loss: float | None,
    val_loss: float | None,
    commitment_weight: float,
    codebook_health: Mapping[str, Any] | None,
    training_config: Any,
    spectrogram_config: Any,
    metrics_history_dict: dict[str, Any],
    training_state: dict[str, Any] | None = None,
) -> Path:
    """Write a VQ-VAE's checkpoint and its sidecar: as `save_checkpoint`, with two fields of its own.

    Parameters
    ----------
    commitment_weight
        Weight of the commitment term.
    codebook_health
        Health of each level, or None where it was not measured.

    Raises
    ------
    OSError
        The disk is full or cannot be written to; what was at ``path`` before is still there.
    """
    return write_checkpoint(
        Path(path),
        make_checkpoint(
            model, optimizer, scheduler, epoch, step, train_loss, val_loss, training_config, spectrogram_config,
            metrics_history_dict, training_state, commitment_weight=commitment_weight,
            codebook_health=to_cpu_copy(codebook_health),
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


def load_vqvae_checkpoint(
    path: Path | str,
    model: nn.Module,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Load a VQ-VAE's checkpoint, codebooks included; as `load_checkpoint`.

    Raises
    ------
    CheckpointError
        As in `load_checkpoint`, or the checkpoint is not of a VQ-VAE.
    """
    path = Path(path)
    data = read_checkpoint(path, device)
    if "commitment_weight" not in data:
        raise CheckpointError(f"{path.name} is not the checkpoint of a VQ-VAE: use load_checkpoint.")
    apply_checkpoint(path, data, model, optimizer, scheduler)
    return data


def lacking(path: Path, reason: Exception) -> CheckpointError:
    """Return the error for a checkpoint whose place in its run cannot be read."""
    return CheckpointError(f"{path.name} lacks what resuming needs ({reason}). Use another checkpoint.")


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
    check_state(model, data["model_state_dict"], "network", path, CheckpointError)
    try:
        for part, state in parts:
            check_fits(part, state)
            part.load_state_dict(state)
            if isinstance(part, Optimizer):
                lay_out_like_weights(part)
        model.load_state_dict(data["model_state_dict"])
    except Exception as exc:
        for part, state in before:
            part.load_state_dict(state)
        pass_on_memory_error(exc)
        raise CheckpointError(
            f"{path.name} does not fit this network: the state of its optimizer or schedule is another."
        ) from exc
