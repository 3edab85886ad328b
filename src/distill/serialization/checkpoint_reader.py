"""Reads checkpoints; their parts and the state of their optimizer are checked, and applied to nothing."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

import torch

from distill.computing.devices import pick_device
from distill.errors import CheckpointError
from distill.serialization.archive import read_archive
from distill.serialization.weight_checks import check_weights

CHECKPOINT_VERSION = 1
CHECKPOINT_FORMAT = "distill_checkpoint"
_CHECKPOINT_KEYS = frozenset(
    ("version", "epoch", "step", "model_state_dict", "optimizer_state_dict", "scheduler_state_dict", "train_loss",
     "val_loss", "training_config", "spectrogram_config", "metrics_history")
)  # fmt: skip
#: Ranges of an optimizer's settings; any beyond come from a damaged or forged file.
_RANGES = {
    "lr": (0.0, 1e3), "initial_lr": (0.0, 1e3), "weight_decay": (0.0, 1e3), "eps": (0.0, 1.0), "betas": (0.0, 1.0),
    "step": (0.0, 1e15), "_last_lr": (0.0, 1e3), "base_lrs": (0.0, 1e3), "last_epoch": (-1.0, 1e15),
    "_step_count": (0.0, 1e15),
}  # fmt: skip
#: Moments that are means of squares.
_SQUARES = {"exp_avg_sq", "max_exp_avg_sq"}


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


def _has_its_parts(data: dict[str, Any]) -> bool:
    """Whether each part of a checkpoint is of its kind."""
    counts = all(type(data[key]) is int and data[key] >= 0 for key in ("epoch", "step"))
    losses = all(isinstance(data[key], (int, float, NoneType)) for key in ("train_loss", "val_loss"))
    tables = all(isinstance(data[key], dict) for key in ("training_config", "spectrogram_config", "metrics_history"))
    return counts and losses and tables and isinstance(data.get("training_state"), (dict, NoneType))


def state_problem(optimizer: Any, schedule: Any) -> str | None:
    """Return what is wrong with the numbers of an optimizer's and a schedule's state, to follow "holds", or None.

    States of another kind altogether are refused when they are applied, because they do not fit.
    """
    if not isinstance(optimizer, Mapping) or not isinstance(schedule, Mapping):
        return None
    state, groups = optimizer.get("state"), optimizer.get("param_groups")
    if not isinstance(state, Mapping) or not isinstance(groups, list):
        return None
    if not all(isinstance(table, Mapping) for table in (*state.values(), *groups)):
        return "a damaged state of its optimizer"
    for table in state.values():
        for name, value in table.items():
            problem = _moment_problem(str(name), value)
            if problem is not None:
                return problem
    settings = {key: value for group in groups for key, value in group.items() if key != "params"}
    for name, number in _numbers({"optimizer": settings, "schedule": schedule}):
        low, high = _RANGES.get(name, (-math.inf, math.inf))
        if not math.isfinite(number) or not low <= number <= high:
            return f"a {name.strip('_')} of {number:g} in the state of its optimizer or schedule"
    kinds = (group.get("lr") for group in groups)
    if not all(isinstance(rate, (int, float)) and not isinstance(rate, bool) for rate in kinds):
        return "a learning rate that is no number"
    return None


def _moment_problem(name: str, value: Any) -> str | None:
    """Return what is wrong with a value that an optimizer keeps for a weight."""
    if isinstance(value, torch.Tensor):
        if value.is_complex() or value.layout != torch.strided:
            return f"a moment of another kind in its optimizer ({name})"
        numbers = value.detach()
        if numbers.is_floating_point() and not bool(torch.isfinite(numbers).all()):
            return f"moments of its optimizer that are not numbers (NaN or infinite, in {name})"
        if name in _SQUARES and numbers.numel() and float(numbers.min()) < 0:
            return f"negative moments in its optimizer ({name})"
        if name == "step" and (numbers.numel() != 1 or not 0 <= float(numbers) <= _RANGES["step"][1]):
            return "a damaged count of steps in its optimizer"
        return None
    if name in _SQUARES or name == "exp_avg":
        return f"a moment that is no tensor in its optimizer ({name})"
    if value is None or (isinstance(value, (bool, int, float)) and math.isfinite(value)):
        return None
    return f"a value that is no number in its optimizer ({name})"


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Yield each number in nested tables and lists, with the key that it is under."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(item, str(key))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _numbers(item, name)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name, float(value)
