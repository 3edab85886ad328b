"""Opening files that `torch.save` wrote, without trusting them.

Nothing in a file is executed (``weights_only``), and a file that cannot be used ends in one sentence that says
whether it is truncated, damaged, foreign or from a newer version.
"""

import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch

from distill.errors import DistillError
from distill.files import write_whole

_ZIP_MAGIC = b"PK\x03\x04"


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
    except (RuntimeError, ValueError, KeyError, EOFError, AttributeError, TypeError, OSError, IndexError) as exc:
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
            packed = [i for i in archive.infolist() if i.compress_type != zipfile.ZIP_STORED or i.flag_bits & 1]
            bad = None if packed else archive.testzip()
    except zipfile.BadZipFile as exc:
        raise error(f"{path.name} is truncated or damaged at its end. Use another {kind}.") from exc
    except (OSError, EOFError, NotImplementedError, zlib.error, ValueError) as exc:
        raise error(f"{path.name} is damaged and cannot be read. Use another {kind}.") from exc
    if packed:
        raise error(f"{path.name} is not a {kind} of Distill: it holds compressed or encrypted data.")
    if bad is not None:
        raise error(f"{path.name} is damaged: the checksum of its part {bad!r} is wrong. Use another {kind}.")


def apply_state(target: Any, state: Any, name: str, path: Path, error: type[DistillError]) -> None:
    """Load a network's state if, and only if, all of it fits.

    Raises
    ------
    DistillError
        Of type ``error``: keys, shapes or types differ; the network is then as it was.
    """
    own = target.state_dict()
    if not isinstance(state, dict) or set(state) != set(own):
        raise error(f"{path.name} holds another kind of {name} than this one.")
    for key, tensor in own.items():
        given = state[key]
        if not isinstance(given, torch.Tensor) or given.shape != tensor.shape:
            shape = list(given.shape) if isinstance(given, torch.Tensor) else type(given).__name__
            raise error(f"{path.name} holds a {name} of another size: {key} is {shape}, not {list(tensor.shape)}.")
        if given.is_floating_point() != tensor.is_floating_point():
            raise error(f"{path.name} holds another kind of {name} than this one: {key} is of type {given.dtype}.")
    target.load_state_dict(state)
