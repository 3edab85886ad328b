"""Reads and writes files as `torch.save` does, without trusting them.

`read_stored` checks what a file says before torch sees it, and describes its tensors instead of loading them.  Then
nothing in it is executed (``weights_only``), and no tensor is larger than the file.  A file that cannot be used is
refused in one sentence that says whether it is truncated, damaged, foreign or from a newer version.  torch is imported
where tensors are loaded or written.
"""

import pickle
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from distill.errors import DistillError, MemoryShortError, is_memory_error
from distill.files import write_whole
from distill.serialization.restricted_unpickler import (
    ITEM_BYTES,
    DamagedError,
    ForbiddenError,
    StoredTensor,
    read_pickle,
)
from distill.serialization.zip_container import open_container

if TYPE_CHECKING:
    import torch

#: Maximum number of tensors that share a storage: tied weights are two or three.
_MAX_SHARING = 8


def write_archive(path: Path, data: dict[str, Any]) -> None:
    """Write a dict of tensors and plain values, whole or not at all.

    Raises
    ------
    TypeError
        It holds something that a file may not hold; nothing was written.
    OSError
        It cannot be written.
    """
    from distill.serialization.plain_values import plain_values

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
    import torch

    try:
        torch.save(data, file)
    except RuntimeError as exc:
        # torch hides the system's error when a write fails half-way: ask the disk again for its own words.
        file.write(b"\0" * (1 << 16))
        file.flush()
        raise OSError(f"{name} could not be written ({exc})") from exc


def read_archive(
    path: Path, kind: str, error: type[DistillError], device: "torch.device | str" = "cpu"
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
    import torch

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


# --- without torch ------------------------------------------------------------------------------------------------


def read_stored(path: Path, kind: str, error: type[DistillError]) -> dict[str, Any]:
    """Return the dict that a file holds, every byte of it checked, without checksums; see `read_content`."""
    return read_content(path, kind, error)[0]


def read_content(path: Path, kind: str, error: type[DistillError]) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the dict that a file holds, every byte of it checked, and the checksums of its storages by their key.

    Tensors come as `StoredTensor`.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be, for the message: "checkpoint", "model file".
    error
        Type of the error for a file that cannot be used.

    Raises
    ------
    DistillError
        Of type ``error``: the file is missing, empty, truncated, damaged, or something else altogether.
    """
    with open_container(path, kind, error) as container:
        pickled, storages, checksums = container.pickle(), container.storages, container.checksums
    try:
        data, tensors = read_pickle(pickled)
    except ForbiddenError as exc:
        raise error(
            f"{path.name} is not a {kind} of Distill: it holds program code or objects that Distill never writes, "
            "and was not opened."
        ) from exc
    except DamagedError as exc:
        raise error(f"{path.name} is damaged and cannot be read. Use another {kind}.") from exc
    if not isinstance(data, dict):
        raise error(f"{path.name} is not a {kind} of Distill.")
    reason = tensor_reason(tensors, storages)
    if reason is not None:
        raise error(f"{path.name} is damaged: {reason}. Use another {kind}.")
    return data, checksums


def tensor_reason(tensors: list[StoredTensor], storages: dict[str, int]) -> str | None:
    """Return how the tensors contradict the storages that are present (bytes by key), or None."""
    sharing: Counter[str] = Counter()
    kinds: dict[str, str] = {}
    for tensor in tensors:
        storage = tensor.storage
        archived_bytes = storages.get(storage.key)
        if archived_bytes is None:
            return "the numbers of a tensor are missing"
        if archived_bytes != storage.numel * ITEM_BYTES[storage.kind]:
            return f"a tensor claims {storage.numel} numbers, for which it holds {archived_bytes} bytes"
        if tensor.end > storage.numel or tensor.numel > storage.numel:
            return "a tensor is of another size and does not fit the numbers that the file holds for it"
        if kinds.setdefault(storage.key, storage.kind) != storage.kind:
            return "a tensor is of two kinds at once"
        sharing[storage.key] += 1
    if sharing and max(sharing.values()) > _MAX_SHARING:
        return "too many tensors lie on the same numbers"
    return None
