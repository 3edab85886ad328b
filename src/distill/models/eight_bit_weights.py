"""The weights of a network as a model file holds them: large ones in eight bits, so that the file stays small.

A tensor of many numbers in a large network is stored as whole numbers from -127 to 127, and a step for each of its
first dimension's entries (the outputs of a layer): a value is the number times the step.  The steps are in the file's
entry `STEPS`; tensors that it does not name are as they are.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distill.errors import ModelFileError

#: Entry of a model file: the steps ``[outputs]`` by the tensors' names.
STEPS = "weight_steps"
#: Networks of more numbers than this are stored in eight bits, and the tensors in them of more numbers than that.
_LARGE_NETWORK, _LARGE_TENSOR = 5_000_000, 50_000
_LEVELS = 127


def stored_weights(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the entries of a model file for a network's state."""
    plain = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    steps: dict[str, Tensor] = {}
    if sum(value.numel() for value in plain.values()) > _LARGE_NETWORK:
        for key, value in plain.items():
            if value.dtype == torch.float32 and value.ndim > 1 and value.numel() > _LARGE_TENSOR:
                largest = value.flatten(1).abs().amax(1)
                if bool(torch.isfinite(largest).all()):
                    steps[key] = (largest / _LEVELS).clamp_min(1e-30)
                    plain[key] = (value / _by_output(steps[key], value)).round().to(torch.int8)
    return {"model_state_dict": plain, **({STEPS: steps} if steps else {})}


def with_weights(data: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return what a model file holds with the weights as numbers of a network.

    Raises
    ------
    ModelFileError
        The steps are damaged, or do not fit the weights.
    """
    steps = data.get(STEPS)
    if steps is None:
        return data
    state = data["model_state_dict"]
    if not isinstance(steps, dict) or not isinstance(state, dict):
        raise _damaged(path)
    weights = {key: _restored(state.get(key), step, path) for key, step in steps.items()}
    return {**data, "model_state_dict": {**state, **weights}}


def _restored(value: Any, step: Any, path: Path) -> Tensor:
    tensors = isinstance(value, Tensor) and isinstance(step, Tensor)
    if not tensors or value.dtype != torch.int8 or not step.is_floating_point() or value.layout != torch.strided:
        raise _damaged(path)
    if value.ndim < 2 or step.shape != value.shape[:1] or not bool(torch.isfinite(step).all()):
        raise _damaged(path)
    restored: Tensor = value.float() * _by_output(step.float(), value)
    return restored


def _by_output(step: Tensor, value: Tensor) -> Tensor:
    return step.view(-1, *(1,) * (value.ndim - 1))


def _damaged(path: Path) -> ModelFileError:
    return ModelFileError(f"{path.name} is damaged: its weights are not what they should be. Use another model file.")
