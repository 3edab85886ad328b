"""Dataclasses of settings that know their labels and ranges, and refuse what is out of range.

Each field is made by `setting`, whose metadata says how it is shown and what values it takes; the training panel, the
command line and the files derive from it.
"""

import math
from dataclasses import field, fields, is_dataclass
from enum import StrEnum
from typing import Any, Self, TypeVar

from distill.errors import ConfigurationError

T = TypeVar("T")


def setting(
    default: T,
    label: str,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    choices: tuple[str, ...] = (),
) -> T:
    """Return a dataclass field that knows its label, help text, unit and range (both ends included)."""
    metadata = {"label": label, "help": help, "low": low, "high": high, "unit": unit, "choices": choices}
    made: T = field(default=default, metadata=metadata)
    return made


class Validated:
    """A dataclass whose fields are checked against their own metadata when it is built."""

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            if item.metadata:
                _check(item.name, getattr(self, item.name), item.default, dict(item.metadata))

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and nested dicts, ready for JSON."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Build from `to_dict`'s result; unknown keys are ignored, missing ones take their default.

        Raises
        ------
        ConfigurationError
            ``data`` is not a dict, or a value is out of range.
        """
        if not isinstance(data, dict):
            raise ConfigurationError(f"{cls.__name__} must be stored as named settings, not as {type(data).__name__}.")
        known = {item.name: item for item in fields(cls)}  # type: ignore[arg-type]
        values: dict[str, Any] = {}
        for name, value in data.items():
            if name in known:
                nested: Any = known[name].default_factory
                is_nested = isinstance(nested, type) and issubclass(nested, Validated)
                values[name] = nested.from_dict(value) if is_nested else value
        return cls(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, Validated) and is_dataclass(value):
        return value.to_dict()
    return value.value if isinstance(value, StrEnum) else value


def _digits(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else f"{number:g}"


def _check(name: str, value: Any, default: Any, meta: dict[str, Any]) -> None:
    choices, low, high = meta["choices"], meta["low"], meta["high"]
    if choices and value in choices:
        return
    if low is None:
        if choices:
            raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
        if isinstance(default, str) and not isinstance(value, str):
            raise ConfigurationError(f"{name} must be text, not {value!r}.")
        return
    words = f"{' or '.join(choices)} or " if choices else ""
    whole = isinstance(default, int) or bool(choices)
    span = f"{words}a {'whole ' if whole else ''}number from {_digits(low)} to {_digits(high)}"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (whole and not isinstance(value, int)):
        raise ConfigurationError(f"{name} must be {span}, not {value!r}.")
    if not math.isfinite(value) or not low <= value <= high:
        raise ConfigurationError(f"{name} must be {span}, not {value!r}.")
