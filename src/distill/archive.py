"""Opening files that `torch.save` wrote, without trusting them.

Nothing in a file is executed (``weights_only``), and a file that cannot be used ends in one sentence that says
whether it is truncated, damaged, foreign or from a newer version.
"""

import pickle
import zipfile
import zlib
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch

from distill.errors import CheckpointError, DistillError
from distill.files import write_whole

_ZIP_MAGIC = b"PK\x03\x04"

CHECKPOINT_VERSION = 1
CHECKPOINT_FORMAT = "distill_checkpoint"
_CHECKPOINT_KEYS = frozenset(
    ("version", "epoch", "step", "model_state_dict", "optimizer_state_dict", "scheduler_state_dict", "train_loss",
     "val_loss", "training_config", "spectrogram_config", "metrics_history")
)  # fmt: skip


def write_archive(path: Path, data: dict[str, Any]) -> None:
    """Write a dict of tensors and plain values, whole or not at all.

    Raises
    ------
    OSError
        It cannot be written.
    """
    with write_whole(path) as file:
        try:
            torch.save(data, file)
        except RuntimeError as exc:
            # torch hides the system's error when a write fails half-way: ask the disk again for its own words.
            file.write(b"\0" * (1 << 16))
            file.flush()
            raise OSError(f"{path.name} could not be written ({exc})") from exc


def read_archive(path: Path, kind: str, error: type[DistillError], device: str = "cpu") -> dict[str, Any]:
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
    """
    _check_container(path, kind, error)
    try:
        data = torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as exc:
        raise error(
            f"{path.name} is not a {kind} of Distill: it holds program code or objects that Distill never writes, "
            "and was not opened."
        ) from exc
    except Exception as exc:  # the border to a file that may hold anything: what it makes torch raise has no end
        raise error(f"{path.name} is damaged and cannot be read. Use another {kind}.") from exc
    if not isinstance(data, dict):
        raise error(f"{path.name} is not a {kind} of Distill.")
    return data


def _check_container(path: Path, kind: str, error: type[DistillError]) -> None:
    """Tell a truncated, a damaged and a foreign file apart; torch itself does not check the checksums."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError as exc:
        raise error(f"There is no {kind} at {path}.") from exc
    except OSError as exc:
        raise error(f"{path.name} cannot be opened ({exc.strerror or exc}).") from exc
    if not magic:
        raise error(f"{path.name} is empty: its {kind} was never written to the end. Use another {kind}.")
    if magic != _ZIP_MAGIC:
        raise error(f"{path.name} is not a {kind} of Distill.")
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            packed = [i for i in parts if i.compress_type != zipfile.ZIP_STORED or i.flag_bits & 1]
            ours = any(i.filename.endswith("/data.pkl") for i in parts)
            bad = archive.testzip() if ours and not packed else None
    except zipfile.BadZipFile as exc:
        raise error(f"{path.name} is truncated or damaged at its end. Use another {kind}.") from exc
    except (OSError, EOFError, NotImplementedError, zlib.error, ValueError) as exc:
        raise error(f"{path.name} is damaged and cannot be read. Use another {kind}.") from exc
    if packed:
        raise error(f"{path.name} is not a {kind} of Distill: it holds compressed or encrypted data.")
    if not ours:
        raise error(f"{path.name} is not a {kind} of Distill.")
    if bad is not None:
        raise error(f"{path.name} is damaged: the checksum of its part {bad!r} is wrong. Use another {kind}.")


def apply_state(target: Any, state: Any, name: str, path: Path, error: type[DistillError]) -> None:
    """Load a network's state if, and only if, all of it fits.

    Raises
    ------
    DistillError
        Of type ``error``: keys, shapes or types differ; the network is then as it was.
    """
    check_state(target, state, name, path, error)
    target.load_state_dict(state)


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


def read_checkpoint(path: Path | str, device: str = "cpu") -> dict[str, Any]:
    """Return what a checkpoint holds, checked but not applied to anything.

    Raises
    ------
    CheckpointError
        The file is missing, truncated, damaged, foreign, or from a newer version; the message says which.
    """
    path = Path(path)
    data = read_archive(path, "checkpoint", CheckpointError, device)
    version = data.get("version")
    if isinstance(version, int) and version > CHECKPOINT_VERSION and "model_state_dict" in data:
        raise CheckpointError(
            f"{path.name} was written by a newer version of Distill (format {version}, this one reads up to "
            f"{CHECKPOINT_VERSION}). Update Distill to open it."
        )
    if version != CHECKPOINT_VERSION or not data.keys() >= _CHECKPOINT_KEYS:
        raise CheckpointError(f"{path.name} is not a checkpoint of Distill.")
    numbers = all(isinstance(data[key], int) and data[key] >= 0 for key in ("epoch", "step"))
    if not numbers or not isinstance(data.get("training_state") or {}, dict):
        raise CheckpointError(f"{path.name} is damaged: its parts are not what they should be. Use another checkpoint.")
    return data


def plain_config(config: Any) -> dict[str, Any]:
    """Return a configuration, or what stands for one, as a plain dict."""
    if hasattr(config, "to_dict"):
        plain: dict[str, Any] = config.to_dict()
        return plain
    if is_dataclass(config) and not isinstance(config, type):
        return asdict(config)
    return dict(config)
