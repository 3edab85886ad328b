"""Dataclasses of settings that know their labels and ranges, and refuse what is out of range.

Each field is made by `setting`, whose metadata says how it is shown and what values it takes; the training panel, the
command line and the files derive from it.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import field, fields, is_dataclass, replace
from enum import StrEnum
from numbers import Integral, Real
from typing import Any, Self, TypeVar

from distill.errors import ConfigurationError

T = TypeVar("T")


def setting(
    default: T | None,
    label: str,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    choices: tuple[str, ...] = (),
    families: tuple[str, ...] = (),
    whole: bool = False,
    pattern: str = "",
) -> T:
    """Return a dataclass field that knows its label, help text, unit and range (both ends included).

    ``families`` are the model families that the field does something for; all, when empty.  ``default`` None is
    replaced by the class before its fields are checked, and ``whole`` then says what the default would have said.
    ``pattern`` is a regular expression for the whole of a text, and ``help`` then says what it may be.
    """
    metadata = {
        "label": label, "help": help, "low": low, "high": high, "unit": unit, "choices": choices, "families": families,
        "whole": whole or isinstance(default, int) or bool(choices), "pattern": pattern,
    }  # fmt: skip
    result: T = field(default=default, metadata=metadata)  # type: ignore[assignment]
    return result


class Validated:
    """A dataclass whose fields are checked against their own metadata when it is built and when one is assigned.

    Its fields can also be read like a mapping: ``config["max_epochs"]``, ``dict(config)``.
    """

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            if "label" in item.metadata:
                value = _plain_number(getattr(self, item.name))
                object.__setattr__(self, item.name, value)
                check_setting(item.name, value, item.default, dict(item.metadata))

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field; one that was set before is checked together with all others, as when the object is built.

        Raises
        ------
        ConfigurationError
            The value is out of range; nothing has been changed.
        AttributeError
            There is no such field.
        """
        if name not in self.__dataclass_fields__:  # type: ignore[attr-defined]
            raise AttributeError(f"{type(self).__name__} has no setting {name!r}.")
        if name not in vars(self):  # the dataclass sets it for the first time
            object.__setattr__(self, name, value)
            return
        checked = replace(self, **{name: value})  # type: ignore[type-var]
        vars(self).update(vars(checked))

    def __getitem__(self, name: str) -> Any:
        if name not in self.keys():
            raise KeyError(name)
        return getattr(self, name)

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def keys(self) -> list[str]:
        """Return the names of the fields."""
        return [item.name for item in fields(self)]  # type: ignore[arg-type]

    def items(self) -> list[tuple[str, Any]]:
        """Return names and values of the fields."""
        return [(name, getattr(self, name)) for name in self.keys()]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a field, or ``default`` if there is none of that name."""
        return getattr(self, name) if name in self.keys() else default

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


def _plain_number(value: Any) -> Any:
    """Return a number of NumPy as Python's own, which JSON and checkpoints hold; all else as it is."""
    if type(value) in (bool, int, float) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def _digits(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else f"{number:g}"


def check_setting(name: str, value: Any, default: Any, meta: dict[str, Any]) -> None:
    """Refuse a value that is not what a setting takes, by what `setting` noted of it.

    Raises
    ------
    ConfigurationError
        One sentence that names the setting, what it takes, and the value.
    """
    choices, low, high = meta["choices"], meta["low"], meta["high"]
    if choices and value in choices:
        return
    if low is None:
        if choices:
            raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
        if isinstance(default, bool) and not isinstance(value, bool):
            raise ConfigurationError(f"{name} must be on or off (True or False), not {value!r}.")
        if isinstance(default, str) and not isinstance(value, str):
            raise ConfigurationError(f"{name} must be text, not {value!r}.")
        pattern = meta.get("pattern")
        if pattern and not re.fullmatch(pattern, value):
            raise ConfigurationError(f"{name} must be {meta['help'].rpartition(': ')[2].rstrip('.')}; not {value!r}.")
        return
    words = f"{' or '.join(choices)} or " if choices else ""
    whole = meta["whole"]
    span = f"{words}a {'whole ' if whole else ''}number from {_digits(low)} to {_digits(high)}"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (whole and not isinstance(value, int)):
        raise ConfigurationError(f"{name} must be {span}, not {value!r}.")
    if not math.isfinite(value) or not low <= value <= high:
        raise ConfigurationError(f"{name} must be {span}, not {value!r}.")
