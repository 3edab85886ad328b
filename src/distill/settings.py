"""What the window remembers from one start to the next.  No Qt here: the file is plain JSON."""

import logging
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from distill.files import read_json, write_json
from distill.paths import settings_file

log = logging.getLogger(__name__)

#: What the lists hold.
_LISTS: dict[str, type] = {"sounds": str, "columns": int}


@dataclass
class WindowSettings:
    """The window's preferences.

    Attributes
    ----------
    sounds
        Files and folders that were listed, in the order they came.
    run
        Folder of the run that was shown, or empty.
    family, preset, epochs
        The training controls; ``epochs`` 0 means the family's default.
    appearance
        ``"system"``, ``"light"`` or ``"dark"``.
    volume
        The player's, linear, from 0 to 1.
    geometry
        The window's place and size, base64 in the toolkit's own format; empty for the default.
    columns
        Widths of the window's columns, in device-independent pixels; empty for the default.
    """

    sounds: list[str] = field(default_factory=list)
    run: str = ""
    family: str = ""
    preset: str = "auto"
    epochs: int = 0
    appearance: str = "system"
    volume: float = 0.8
    geometry: str = ""
    columns: list[int] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read the file; what is missing, damaged or of a wrong type takes its default, as preferences may."""
        try:
            data = read_json(path or settings_file())
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError) as exc:
            log.warning("The window's preferences are not readable and start afresh: %s", exc)
            return cls()
        settings = cls()
        for item in fields(cls) if isinstance(data, dict) else ():
            value = data.get(item.name)
            if _fits(item.name, value, getattr(settings, item.name)):
                setattr(settings, item.name, value)
        settings.volume = min(max(float(settings.volume), 0.0), 1.0)
        return settings

    def save(self, path: Path | None = None) -> None:
        """Write the file.  A disk that is full or read-only costs the preferences, not the work."""
        try:
            write_json(path or settings_file(), asdict(self))
        except OSError as exc:
            log.warning("The window's preferences cannot be kept: %s", exc)

    def existing_sounds(self) -> list[Path]:
        """Return those of ``sounds`` that are still there."""
        found = []
        for text in self.sounds:
            with suppress(OSError, ValueError):  # an unreadable mount, or a name from another system
                if Path(text).exists():
                    found.append(Path(text))
        return found


def _fits(name: str, value: Any, default: Any) -> bool:
    if name in _LISTS:
        return isinstance(value, list) and all(type(v) is _LISTS[name] for v in value)
    if isinstance(default, float):
        return type(value) in (int, float)
    return type(value) is type(default)
