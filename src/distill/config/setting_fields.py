"""The fields of a configuration: what each is called, its range, and the check of its value.

Each field is made by `setting`, whose metadata says how it is shown and what values it takes; the training panel, the
command line and the files derive from it.  A `Validated` dataclass refuses what is out of range, and `setting_fields`
lists its fields, and those of configurations inside it, one by one.  Nothing here knows a setting by name.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from numbers import Integral, Real
from typing import Any, Self, TypeVar

from distill.errors import ConfigurationError

T = TypeVar("T")
C = TypeVar("C", bound="Validated")

#: What `SettingField` takes from a field's metadata.
_FACTS = ("label", "help", "unit", "low", "high", "choices", "whole", "pattern")


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
        known_fields = {item.name: item for item in fields(cls)}  # type: ignore[arg-type]
        values: dict[str, Any] = {}
        for name, value in data.items():
            if name in known_fields:
                nested: Any = known_fields[name].default_factory
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


# --- the list of fields ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SettingField:
    """A setting, with everything that is needed to show, edit and check it.

    Attributes
    ----------
    name
        Name of the field; of one inside another configuration ``"regularization.dropout"``.
    owner
        The class that declares it: what belongs together.
    label, help, unit, low, high, choices, whole, pattern
        See `setting`.
    default
        A value that has the setting's type.
    """

    name: str
    owner: type
    label: str
    help: str
    unit: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    whole: bool
    pattern: str
    default: Any

    @property
    def group(self) -> str:
        """Name of the configuration that it is inside of; empty for one of the outermost."""
        return self.name.rpartition(".")[0]

    def check(self, value: Any) -> None:
        """Refuse a value that the configuration would refuse.

        Raises
        ------
        ConfigurationError
            In the configuration's own words, which name the setting by its label.
        """
        meta = {key: getattr(self, key) for key in ("choices", "low", "high", "whole", "pattern", "help")}
        check_setting(self.label, value, self.default, meta)

    def parse(self, text: str) -> Any:
        """Return the value that a person has typed.

        Raises
        ------
        ConfigurationError
            It is none, or out of range.
        """
        text = text.strip()
        value: Any = text
        if self.low is not None and text not in self.choices:
            value = _number(text, self.whole)
        self.check(value)
        return value

    def text(self, value: Any) -> str:
        """Return a value as a person would type it."""
        if isinstance(value, bool) or not isinstance(value, float):
            return str(value)
        return f"{value:.10g}"

    @property
    def span(self) -> str:
        """The range with its unit, empty where there is none: ``1–4096 s``."""
        if self.low is None or self.high is None:
            return self.unit
        unit = f" {self.unit}" if self.unit else ""
        return f"{_digits(self.low)}–{_digits(self.high)}{unit}"


def setting_fields(config: Validated) -> list[SettingField]:
    """Return the settings of a configuration that a person may change, those of configurations inside it included.

    Left out is what does nothing: settings of other families, and one inside of the configuration that it also has
    itself, which is then what counts (`VQVAEConfig.dropout`).
    """
    return list(_walk(config, "", frozenset(), getattr(config, "family", "")))


def _walk(config: Validated, prefix: str, taken: frozenset[str], family: str) -> Iterator[SettingField]:
    items = fields(config)  # type: ignore[arg-type]
    taken_inside = taken | {item.name for item in items}
    for item in items:
        value = getattr(config, item.name)
        if family not in item.metadata.get("families", ()) and item.metadata.get("families"):
            continue
        if isinstance(value, Validated):
            yield from _walk(value, f"{prefix}{item.name}.", taken_inside, family)
        elif item.metadata.get("label") and item.name not in taken:
            default = value if item.default in (MISSING, None) else item.default
            known = {key: item.metadata[key] for key in _FACTS}
            yield SettingField(f"{prefix}{item.name}", _declaring(type(config), item.name), default=default, **known)


def _declaring(kind: type, name: str) -> type:
    """Return the class furthest up that declares a field."""
    return next((c for c in reversed(kind.__mro__) if name in vars(c).get("__annotations__", {})), kind)


def setting_value(config: Validated, name: str) -> Any:
    """Return the value of a setting by its name, dotted where it is inside another configuration."""
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value


def changed_settings(config: Validated, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the values, by the names of their settings, that differ from what ``config`` has."""
    return {name: value for name, value in values.items() if value != setting_value(config, name)}


def with_settings(config: C, changes: Mapping[str, Any]) -> C:
    """Return ``config`` with other values, by name, dotted where they are inside another configuration.

    Raises
    ------
    ConfigurationError
        A value is out of range, or there is no such setting.
    """
    plain = {name: value for name, value in changes.items() if "." not in name}
    nested: dict[str, dict[str, Any]] = {}
    for name, value in changes.items():
        outer, dot, inner = name.partition(".")
        if dot:
            nested.setdefault(outer, {})[inner] = value
    for outer, inside in nested.items():
        part = getattr(config, outer, None)
        if not isinstance(part, Validated):
            raise ConfigurationError(f"There is no setting {outer}.{next(iter(inside))}.")
        plain[outer] = with_settings(part, inside)
    known = {item.name for item in fields(config)}  # type: ignore[arg-type]
    if unknown := sorted(plain.keys() - known):
        raise ConfigurationError(f"There is no setting {unknown[0]}.")
    return replace(config, **plain)  # type: ignore[type-var]


def _number(text: str, is_whole: bool) -> Any:
    """Return a number, or the text itself where it is none: the check then says so.

    In whole numbers, a comma or a point before three digits is one of thousands to some people, and none to others.
    """
    if is_whole and re.search(r"[.,]\d{3}$", text):
        return text
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return text
    if not is_whole or not math.isfinite(number) or not number.is_integer():
        return number
    return int(text) if text.lstrip("+-").isdigit() else int(number)
