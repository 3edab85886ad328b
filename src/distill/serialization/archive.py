"""Opening files that `torch.save` wrote, without trusting them.

`reading` checks what a file says before torch sees it; then nothing in it is executed (``weights_only``), and no tensor
is larger than the file.  A file that cannot be used is refused in one sentence that says whether it is truncated,
damaged, foreign or from a newer version.
"""

import math
import pickle
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import NoneType
from typing import IO, Any

import torch

from distill.computing.devices import pick_device
from distill.errors import CheckpointError, DistillError, MemoryShortError, is_memory_error
from distill.files import write_whole
from distill.serialization.plain_values import plain_values
from distill.serialization.tensor_descriptions import read_stored
from distill.serialization.training_state import state_problem

CHECKPOINT_VERSION = 1
#: Far over any weight or statistic of a network; larger ones overflow in its layers.
_MAX_WEIGHT = 1e15
CHECKPOINT_FORMAT = "distill_checkpoint"
_CHECKPOINT_KEYS = frozenset(
    ("version", "epoch", "step", "model_state_dict", "optimizer_state_dict", "scheduler_state_dict", "train_loss",
     "val_loss", "training_config", "spectrogram_config", "metrics_history")
)  # fmt: skip


def write_archive(path: Path, data: dict[str, Any]) -> None:
    """Write a dict of tensors and plain values, whole or not at all.

    Raises
    ------
    TypeError
        It holds something that a file may not hold; nothing was written.
    OSError
        It cannot be written.
    """
    plain = plain_values(data, path.name)
    with write_whole(path) as file:
        save_archive(file, plain, path.name)


def save_archive(file: IO[bytes], data: dict[str, Any], name: str) -> None:
    """Write a dict of tensors and plain values into an open file.

    Raises
    ------
    OSError
        It cannot be written.
    """
    try:
        torch.save(data, file)
    except RuntimeError as exc:
        # torch hides the system's error when a write fails half-way: ask the disk again for its own words.
        file.write(b"\0" * (1 << 16))
        file.flush()
        raise OSError(f"{name} could not be written ({exc})") from exc


def read_archive(
    path: Path, kind: str, error: type[DistillError], device: torch.device | str = "cpu"
) -> dict[str, Any]:
    """Return the dict that a file holds, every byte of it checked.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be, for the message: "checkpoint", "model file".
    error
        Type of the error for a file that cannot be used.
    device
        Where tensors go.

    Raises
    ------
    DistillError
        Of type ``error``: the file is missing, empty, truncated, damaged, or something else altogether.
    MemoryShortError
        There is not enough memory to open it.
    """
    try:
        read_stored(path, kind, error)
        data = torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as exc:
        raise error(
            f"{path.name} is not a {kind} of Distill: it holds program code or objects that Distill never writes, "
            "and was not opened."
        ) from exc
    except DistillError:
        raise
    except Exception as exc:  # the border to a file that may hold anything: what it makes torch raise has no end
        if is_memory_error(exc):  # nothing is wrong with the file
            raise MemoryShortError(
                f"There is not enough memory to open {path.name}. Close other programs, then try again."
            ) from exc
        raise error(f"{path.name} is damaged and cannot be read. Use another {kind}.") from exc
    if not isinstance(data, dict):
        raise error(f"{path.name} is not a {kind} of Distill.")
    return data


def apply_state(target: Any, state: Any, name: str, path: Path, error: type[DistillError]) -> None:
    """Load a network's state if, and only if, all of it fits.

    Raises
    ------
    DistillError
        Of type ``error``: keys, shapes or types differ; the network is then as it was.
    """
    check_state(target, state, name, path, error)
    target.load_state_dict(dict(state))  # without attributes such as versions of layers, which nothing checked


def check_state(target: Any, state: Any, name: str, path: Path, error: type[DistillError]) -> None:
    """Refuse a state that does not fit a network; see `apply_state`."""
    own = target.state_dict()
    if not isinstance(state, dict) or set(state) != set(own):
        raise error(f"{path.name} holds another kind of {name} than this one.")
    for key, tensor in own.items():
        given = state[key]
        if not isinstance(given, torch.Tensor) or given.shape != tensor.shape:
            shape = list(given.shape) if isinstance(given, torch.Tensor) else type(given).__name__
            raise error(f"{path.name} holds a {name} of another size: {key} is {shape}, not {list(tensor.shape)}.")
        plain = given.layout == torch.strided and not given.is_quantized and given.device.type != "meta"
        if not plain or given.is_floating_point() != tensor.is_floating_point():
            raise error(f"{path.name} holds another kind of {name} than this one: {key} is of type {given.dtype}.")


def check_weights(state: Any, path: Path, kind: str, error: type[DistillError]) -> None:
    """Refuse a state that is not tensors by name, or has weights that are not numbers.

    Raises
    ------
    DistillError
        Of type ``error``.
    """
    plain = isinstance(state, dict) and all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in state.items()
    )
    if not plain:
        raise error(f"{path.name} is damaged: its weights are not what they should be. Use another {kind}.")
    for key, value in state.items():
        if not value.is_floating_point() or value.numel() == 0 or value.layout != torch.strided:
            continue
        largest = float(value.detach().abs().max())  # NaN where any is
        if not math.isfinite(largest):
            raise error(
                f"{path.name} holds weights that are not numbers (NaN or infinite, in {key}). Use another {kind}."
            )
        if largest > _MAX_WEIGHT:
            raise error(f"{path.name} is damaged: it holds a weight of {largest:.0e} (in {key}). Use another {kind}.")


def check_network(build: Callable[[], torch.nn.Module], state: Any, path: Path, error: type[DistillError]) -> None:
    """Refuse weights that do not fit the network that ``build`` makes, without making it.

    Settings may ask for a network that no computer has room for; on the meta device it has sizes and no memory.

    Raises
    ------
    DistillError
        Of type ``error``.
    """
    with torch.device("meta"):
        check_state(build(), state, "network", path, error)


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


def plain_config(config: Any) -> dict[str, Any]:
    """Return a configuration, or what stands for one, as a plain dict."""
    if hasattr(config, "to_dict"):
        plain: dict[str, Any] = config.to_dict()
        return plain
    if is_dataclass(config) and not isinstance(config, type):
        return asdict(config)
    return dict(config)
