"""Checks the numbers in the optimizer's and the schedule's state of a checkpoint, before any is applied."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch

#: Ranges of an optimizer's settings; any beyond come from a damaged or forged file.
_RANGES = {
    "lr": (0.0, 1e3), "initial_lr": (0.0, 1e3), "weight_decay": (0.0, 1e3), "eps": (0.0, 1.0), "betas": (0.0, 1.0),
    "step": (0.0, 1e15), "_last_lr": (0.0, 1e3), "base_lrs": (0.0, 1e3), "last_epoch": (-1.0, 1e15),
    "_step_count": (0.0, 1e15),
}  # fmt: skip
#: Moments that are means of squares.
_SQUARES = {"exp_avg_sq", "max_exp_avg_sq"}


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
