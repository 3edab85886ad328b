"""The settings of a configuration, one by one: what the window makes its fields from.

Nothing here knows a setting by name.  A configuration's dataclass fields, and those of configurations inside it, say
everything by the metadata that `distill.config.validation.setting` gave them.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, TypeVar

from distill.config.validation import Validated, check_setting
from distill.errors import ConfigurationError

C = TypeVar("C", bound=Validated)

#: What `SettingField` takes from a field's metadata.
_FACTS = ("label", "help", "unit", "low", "high", "choices", "whole", "pattern")


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
        See `distill.config.validation.setting`.
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
        return f"{_short(self.low)}–{_short(self.high)}{unit}"


def setting_fields(config: Validated) -> list[SettingField]:
    """Return the settings of a configuration that a person may change, those of configurations inside it included.

    Left out is what does nothing: settings of other families, and one inside of the configuration that it also has
    itself, which is then what counts (`VQVAEConfig.dropout`).
    """
    return list(_walk(config, "", frozenset(), getattr(config, "family", "")))


def grouped_settings(
    found: Sequence[SettingField], family: str, common: str, common_owner: type
) -> dict[str, list[SettingField]]:
    """Return settings by heading: the family's own, those inside of others, and those of all families.

    The latter are those that ``common_owner`` declares.
    """
    own = [field for field in found if not field.group and field.owner is not common_owner]
    inside: dict[str, list[SettingField]] = {}
    for field in found:
        if field.group:
            inside.setdefault(field.group.replace("_", " ").replace(".", ", ").capitalize(), []).append(field)
    shared = [field for field in found if not field.group and field.owner is common_owner]
    return {title: group for title, group in {family: own, **inside, common: shared}.items() if group}


def _walk(config: Validated, prefix: str, taken: frozenset[str], family: str) -> Iterator[SettingField]:
    items = fields(config)  # type: ignore[arg-type]
    own = taken | {item.name for item in items}
    for item in items:
        value = getattr(config, item.name)
        if family not in item.metadata.get("families", ()) and item.metadata.get("families"):
            continue
        if isinstance(value, Validated):
            yield from _walk(value, f"{prefix}{item.name}.", own, family)
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


def _short(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else f"{number:g}"
