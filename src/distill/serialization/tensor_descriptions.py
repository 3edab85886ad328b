"""Reads a model file or checkpoint with its tensors described instead of loaded."""

from collections import Counter
from pathlib import Path
from typing import Any

from distill.errors import DistillError
from distill.serialization.restricted_unpickler import (
    ITEM_BYTES,
    DamagedError,
    ForbiddenError,
    StoredTensor,
    read_pickle,
)
from distill.serialization.zip_container import open_container

#: Maximum number of tensors that share a storage: tied weights are two or three.
_MAX_SHARING = 8


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
        present = storages.get(storage.key)
        if present is None:
            return "the numbers of a tensor are missing"
        if present != storage.numel * ITEM_BYTES[storage.kind]:
            return f"a tensor claims {storage.numel} numbers, for which it holds {present} bytes"
        if tensor.end > storage.numel or tensor.numel > storage.numel:
            return "a tensor is of another size and does not fit the numbers that the file holds for it"
        if kinds.setdefault(storage.key, storage.kind) != storage.kind:
            return "a tensor is of two kinds at once"
        sharing[storage.key] += 1
    if sharing and max(sharing.values()) > _MAX_SHARING:
        return "too many tensors lie on the same numbers"
    return None
