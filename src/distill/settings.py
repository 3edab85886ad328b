"""The window's preferences, kept from one start to the next.  No Qt here: the file is plain JSON."""

import logging
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from distill.json_files import read_json, write_json
from distill.paths import settings_file

log = logging.getLogger(__name__)

#: Types of the items of the lists.
_LISTS: dict[str, type] = {
    "sounds": str,
    "recent": str,
    "excluded": str,
    "removed": str,
    "sound_columns": str,
    "columns": int,
}

#: Ranges of the numbers.  Numbers in the panels' own tables are held to `_MAX_NUMBER`, beyond which toolkits overflow.
_RANGES: dict[str, tuple[float, float]] = {
    "epochs": (0, 1_000_000), "side_tab": (0, 100), "page": (0, 100), "volume": (0.0, 1.0), "columns": (0, 100_000),
}  # fmt: skip
_MAX_NUMBER = 1e9


@dataclass
class WindowSettings:
    """The window's preferences.

    Attributes
    ----------
    sounds
        Files and folders that were listed, in the order in which they were added.
    recent
        Folders of sounds that were listed lately, newest first.
    excluded
        Sound files that the user does not want to train on, whether or not they are listed.
    removed
        Files that the user has removed from the list.
    fixes
        What a training changes in sounds when it reads them, by file.
    sound_columns, sound_list
        Columns of the list of sounds that are wanted, the most important one first, empty for the default; and the
        widths and sorting of that list, base64 in the toolkit's own format.
    hears_walking
        Whether walking through the sounds with the arrow keys plays them.
    run
        Folder of the run that was shown, or empty.
    family, preset, epochs
        The training controls; ``epochs`` 0 means the family's default.
    epoch_seconds
        Seconds that an epoch took for each sound, by family, as measured on this computer.
    advanced
        What the next run is to differ in from its preset: by family, then by the setting's name.
    side_tab
        Which of the tabs at the left is open, counted from 0.
    page
        Which page of the window is open: 0 is Training, 1 is Models, 2 is Play.
    making
        What the panel that makes sound was set to, in that panel's own words; empty for the default.
    instrument
        Ports, controllers and modes by which sounds are played; empty for the default.
    play_folder
        Where a sound or a kit of the Play page was written last, or empty.
    played_model
        File of the model whose map was played last, or empty.
    model_info
        Whether loss, training and file of the chosen model are shown.
    looks_for_updates
        Whether the user has agreed that Distill asks once a day whether there is a newer version.
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
    damaged
        Names of the fields that could not be read and took their defaults; not saved.
    """

    sounds: list[str] = field(default_factory=list)
    recent: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    fixes: dict[str, Any] = field(default_factory=dict)
    sound_columns: list[str] = field(default_factory=list)
    sound_list: str = ""
    hears_walking: bool = True
    run: str = ""
    family: str = ""
    preset: str = "auto"
    epochs: int = 0
    epoch_seconds: dict[str, float] = field(default_factory=dict)
    advanced: dict[str, Any] = field(default_factory=dict)
    side_tab: int = 0
    page: int = 0
    making: dict[str, Any] = field(default_factory=dict)
    instrument: dict[str, Any] = field(default_factory=dict)
    play_folder: str = ""
    played_model: str = ""
    model_info: bool = False
    looks_for_updates: bool = False
    appearance: str = "system"
    plots: dict[str, Any] = field(default_factory=dict)
    volume: float = 0.8
    output_device: str = ""
    output_host_api: str = ""
    geometry: str = ""
    columns: list[int] = field(default_factory=list)
    damaged: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read the file; each field that is missing, damaged, of a wrong type or out of range takes its default."""
        try:
            data = read_json(path or settings_file())
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError) as exc:
            log.warning("The window's preferences cannot be read and take their defaults: %s", exc)
            return cls(damaged=_NAMES)
        settings, damaged = cls(), []
        for name in _NAMES:
            if not isinstance(data, dict) or name not in data:
                continue
            value = _within(name, data[name])
            if _fits(name, value, getattr(settings, name)):
                setattr(settings, name, value)
            else:
                damaged.append(name)
        settings.epoch_seconds = {
            family: float(value)
            for family, value in settings.epoch_seconds.items()
            if type(value) in (int, float) and 0 < value < float("inf")
        }
        settings.volume = float(settings.volume)
        settings.damaged = _NAMES if not isinstance(data, dict) else tuple(damaged)
        if settings.damaged:
            log.warning("Damaged preferences take their defaults: %s", ", ".join(settings.damaged))
        return settings

    def save(self, path: Path | None = None) -> None:
        """Write the file.  If the disk is full or read-only, only the preferences are lost."""
        try:
            values = asdict(self)
            del values["damaged"]
            write_json(path or settings_file(), values)
        except OSError as exc:
            log.warning("The window's preferences cannot be kept: %s", exc)


_NAMES = tuple(item.name for item in fields(WindowSettings) if item.name != "damaged")


def _within(name: str, value: Any) -> Any:
    """Return a value with its numbers in range; a table keeps those of its items that are."""
    low, high = _RANGES.get(name, (-_MAX_NUMBER, _MAX_NUMBER))
    if type(value) in (int, float):
        return min(max(value, low), high) if abs(value) <= _MAX_NUMBER else None
    if isinstance(value, list):
        within = [_within(name, item) for item in value]
        return None if None in within else within
    if isinstance(value, dict):
        within_range = {key: _within(name, given) for key, given in value.items()}
        return {key: item for key, item in within_range.items() if item is not None or value[key] is None}
    return value


def _fits(name: str, value: Any, default: Any) -> bool:
    if name in _LISTS:
        return isinstance(value, list) and all(type(v) is _LISTS[name] for v in value)
    if isinstance(default, float):
        return type(value) in (int, float)
    return type(value) is type(default)
