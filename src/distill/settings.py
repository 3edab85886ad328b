"""What the window remembers from one start to the next.  No Qt here: the file is plain JSON."""

import logging
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from distill.files import read_json, write_json
from distill.paths import settings_file

log = logging.getLogger(__name__)

#: What the lists hold.
_LISTS: dict[str, type] = {"sounds": str, "recent": str, "excluded": str, "sound_columns": str, "columns": int}


@dataclass
class WindowSettings:
    """The window's preferences.

    Attributes
    ----------
    sounds
        Files and folders that were listed, in the order they came.
    recent
        Folders of sounds that were listed lately, newest first.
    excluded
        Sound files that the user does not want to train on, whether they are listed just now or not.
    sound_columns, sound_list
        Columns of the list of sounds that are wanted, the most important one first, empty for the default; and the
        widths and sorting of that list, base64 in the toolkit's own format.
    hears_walking
        Whether walking through the sounds with the arrow keys plays them.
    run
        Folder of the run that was shown, or empty.
    family, preset, epochs
        The training controls; ``epochs`` 0 means the family's default.
    advanced
        What the next run is to differ in from its preset: by family, then by the setting's name.
    side_tab
        Which of the tabs at the left is open, counted from 0.
    page
        Which page of the window is open: 0 is the training, 1 the models.
    making
        What the panel that makes sound was set to, in that panel's own words; empty for the default.
    model_info
        Whether loss, training and file of the chosen model are shown.
    appearance
        ``"system"``, ``"light"`` or ``"dark"``.
    plots
        What the panel of curves shows and how, in that panel's own words; empty for the default.
    volume
        The player's, linear, from 0 to 1.
    output_device, output_host_api
        What sounds are played through: the device's name and the system's interface to it; empty for the default.
    geometry
        The window's place and size, base64 in the toolkit's own format; empty for the default.
    columns
        Widths of the window's columns, in device-independent pixels; empty for the default.
    """

    sounds: list[str] = field(default_factory=list)
    recent: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    sound_columns: list[str] = field(default_factory=list)
    sound_list: str = ""
    hears_walking: bool = True
    run: str = ""
    family: str = ""
    preset: str = "auto"
    epochs: int = 0
    advanced: dict[str, Any] = field(default_factory=dict)
    side_tab: int = 0
    page: int = 0
    making: dict[str, Any] = field(default_factory=dict)
    model_info: bool = False
    appearance: str = "system"
    plots: dict[str, Any] = field(default_factory=dict)
    volume: float = 0.8
    output_device: str = ""
    output_host_api: str = ""
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


def _fits(name: str, value: Any, default: Any) -> bool:
    if name in _LISTS:
        return isinstance(value, list) and all(type(v) is _LISTS[name] for v in value)
    if isinstance(default, float):
        return type(value) in (int, float)
    return type(value) is type(default)
