"""Refuses weights that do not fit a network or are no numbers, before any is applied."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from distill.errors import DistillError

#: Far over any weight or statistic of a network; larger ones overflow in its layers.
_MAX_WEIGHT = 1e15


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
    network_state = target.state_dict()
    if not isinstance(state, dict) or set(state) != set(network_state):
        raise error(f"{path.name} holds another kind of {name} than this one.")
    for key, tensor in network_state.items():
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
