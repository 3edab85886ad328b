"""Turns what callers hand over into what a file may hold: tensors and plain values, which the reader accepts."""

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

_PLAIN = frozenset((bool, int, float, str, type(None)))


def plain_values(value: Any, name: str = "the file") -> Any:
    """Return a copy of nested values in which everything is a tensor, a number, a text, None, a dict, list or tuple.

    Numbers and arrays of numpy become Python's, enumerations their values, paths texts, configurations and other
    dataclasses dicts.

    Parameters
    ----------
    value
        What is to be stored.
    name
        Where it is, for the message.

    Raises
    ------
    TypeError
        A value is of a type that a file may not hold; the message says where it is.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, Enum):
        return plain_values(value.value, name)
    if isinstance(value, np.generic | np.ndarray):
        return plain_values(value.tolist(), name)
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {_key(key, name): plain_values(item, f"{name}, {key!s}") for key, item in value.items()}
    if type(value) in (list, tuple) and _PLAIN.issuperset(map(type, value)):  # a long column of a history
        return value[:]
    if isinstance(value, list | tuple):
        items = [plain_values(item, f"{name}, item {number}") for number, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain_values(getattr(value, item.name), f"{name}, {item.name}") for item in fields(value)}
    raise TypeError(f"{name}: a {type(value).__name__} cannot be stored. Give numbers, texts, lists, dicts or tensors.")


def _key(key: Any, name: str) -> str | int:
    plain = plain_values(key, f"{name}, a key")
    if not isinstance(plain, str | int):
        raise TypeError(f"{name}: a key must be a text or a whole number, not {key!r}.")
    return plain


def plain_config(config: Any) -> dict[str, Any]:
    """Return a configuration, or what stands for one, as a plain dict."""
    if hasattr(config, "to_dict"):
        plain: dict[str, Any] = config.to_dict()
        return plain
    if is_dataclass(config) and not isinstance(config, type):
        return asdict(config)
    return dict(config)
