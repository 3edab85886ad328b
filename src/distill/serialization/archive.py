"""Opening files that `torch.save` wrote, without trusting them.

`read_stored` checks what a file says before torch sees it; then nothing in it is executed (``weights_only``), and no
tensor is larger than the file.  A file that cannot be used is refused in one sentence that says whether it is
truncated, damaged, foreign or from a newer version.
"""

import pickle
from pathlib import Path
from typing import IO, Any

import torch

from distill.errors import DistillError, MemoryShortError, is_memory_error
from distill.files import write_whole
from distill.serialization.plain_values import plain_values
from distill.serialization.tensor_descriptions import read_stored


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
