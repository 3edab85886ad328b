"""Gathers a report and writes it: errors, versions, the end of the log, the last run, and the window's settings.

Every part is text that a person can read, and goes through `distill.reporting.redaction`.  No sound, picture, model or
checkpoint is opened for it.  What is private is learnt from Distill's own records: files that were listed, trained on
or generated, names of runs and models, the user and the computer.
"""

import getpass
import json
import logging
import platform
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from distill import diagnostics, paths
from distill.files import free_path, write_whole
from distill.json_files import read_json, read_json_lines
from distill.reporting.redaction import Redactor, private_names
from distill.settings import WindowSettings

log = logging.getLogger(__name__)

#: How much of the end of the log, and of the record of native crashes, is taken.
LOG_BYTES, CRASH_BYTES = 300_000, 60_000
#: So many of the newest runs are searched for names, and so many sounds of the last run are listed.
RUNS_SEARCHED, SOUNDS_LISTED = 300, 500
#: So many entries of the list of generated sounds are searched for names.
GENERATED_SEARCHED = 20_000
#: Parts of the keys of records whose values are names.
_NAMING = ("name", "sound", "source", "title", "descr", "tag", "label", "file", "path", "host", "dataset")
#: So many lines of the end of the log are in the short text and in an excerpt, which takes no more than so many bytes.
SHORT_LOG_LINES, EXCERPT_BYTES = 60, 32_000
#: Date of all files in the archive: the time of a report is in its log.
_DATE = (1980, 1, 1, 0, 0, 0)

_ABOUT = """\
A report of Distill, for its developers.

Folders are shortened, and names of sounds, runs, models and people are replaced by hashes, which are different in each
report. There is no sound, no picture and no model in it. Look through it before you send it: it is all text.

errors.txt      what went wrong since Distill was opened
versions.txt    versions of Distill, its libraries and the system
log.txt         the end of the log
crash.txt       where the program was when it ended unexpectedly, if it ever did
run.json        settings and result of the last run
settings.json   settings of the window
"""

#: What of the window's settings says something about an error.
_SETTINGS = ("family", "preset", "epochs", "advanced", "side_tab", "page", "appearance", "model_info", "hears_walking")
#: What of a run's record is taken as it is, by way of `Redactor.value`.
_RECORD = (
    "version", "created", "status", "error", "config", "speed", "notes", "planned_epochs", "preparation",
)  # fmt: skip


def collect(errors: Sequence[diagnostics.Report], versions: str) -> dict[str, str]:
    """Return the files of a report: name to text.  What cannot be read is left out.

    Parameters
    ----------
    errors
        What was reported since the program started, oldest first.
    versions
        Versions of the program, of its libraries and of the system.
    """
    settings = WindowSettings.load()
    redactor = make_redactor(settings)
    logs = [paths.log_dir() / "distill.log.1", diagnostics.log_file()]
    parts = {
        "README.txt": _ABOUT,
        "errors.txt": "\n".join(redactor.text(f"{error.origin}: {error.details}") for error in errors),
        "versions.txt": redactor.text(versions),
        "log.txt": redactor.text("".join(_end_of(path, LOG_BYTES) for path in logs)[-LOG_BYTES:]),
        "crash.txt": redactor.text(_end_of(paths.log_dir() / "crash.log", CRASH_BYTES)),
        "run.json": _as_text(_last_run(redactor, settings.run)),
        "settings.json": _as_text(_settings(redactor, settings)),
    }
    return {name: text for name, text in parts.items() if text.strip()}


def report_path(desktop: Path) -> Path:
    """Return a free path for a report, on the desktop where there is one, else in the home folder; asks the disk."""
    folder = desktop if desktop.is_dir() else Path.home()
    return free_path(folder / f"distill-report {datetime.now():%Y-%m-%d}.zip")


def write(path: Path, parts: dict[str, str]) -> None:
    """Write a report as a ZIP archive, whole or not at all.

    Raises
    ------
    OSError
        It cannot be written there.
    """
    with write_whole(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), text.encode(errors="backslashreplace"), zipfile.ZIP_DEFLATED)


def short_text(parts: dict[str, str]) -> str:
    """Return what of a report fits into a message: versions, errors and the end of the log."""
    log_end = _last_lines(parts.get("log.txt", ""))
    texts = [parts.get("versions.txt", ""), parts.get("errors.txt", ""), f"The end of the log:\n{log_end}"]
    return "\n\n".join(text.strip() for text in (texts if log_end else texts[:2]) if text.strip()) + "\n"


def log_excerpt() -> str:
    """Return the last lines of the log as they are, names included; nothing where it cannot be read."""
    return _last_lines(_end_of(diagnostics.log_file(), EXCERPT_BYTES))


def _last_lines(text: str) -> str:
    return "\n".join(text.splitlines()[-SHORT_LOG_LINES:])


def make_redactor(settings: WindowSettings, key: bytes | None = None) -> Redactor:
    """Return what takes the names out that Distill's own files know."""
    private_texts: list[tuple[str, str]] = []  # what it is, and its text
    for data in _records(settings):
        private_texts += _texts(data)
    files = [text for kind, text in private_texts if kind == "path"]
    names = [text for kind, text in private_texts if kind == "name"]
    for folder in (paths.runs_dir(), paths.models_dir()):
        listed = [entry.name for entry in _entries(folder) if entry.suffix not in (".json", ".lock")]
        names += listed + [name.split(" ", 2)[-1] for name in listed]  # a run's begins with date and time
    names += [Path.home().name, platform.node(), platform.node().partition(".")[0], _user()]
    places = {
        str(path): called
        for path, called in (
            (Path.home(), "<home>"),
            (paths.data_dir(), "<data>"),
            (paths.cache_dir(), "<cache>"),
            (paths.log_dir(), "<log>"),
            (paths.settings_file().parent, "<settings>"),
            (Path(tempfile.gettempdir()), "<temporary>"),
        )
    }
    own_folders = tuple(str(path) for path in (paths.data_dir(), paths.cache_dir()))
    files = [text[len(place) :].lstrip("/\\") if (place := _start(text, own_folders)) else text for text in files]
    return Redactor(private_names(files, names), places, key)


def _records(settings: WindowSettings) -> Iterator[Any]:
    """Return what Distill has written of sounds, runs and models, as plain data; damaged files are passed over."""
    yield {
        "paths": [*settings.sounds, *settings.recent, *settings.excluded, *settings.removed, *settings.fixes],
        "name": settings.output_device,
        "path": settings.run,
        "making": settings.making,
    }
    runs = sorted(_entries(paths.runs_dir()), key=lambda path: path.name, reverse=True)[:RUNS_SEARCHED]
    data = paths.data_dir()
    shown = [Path(settings.run)] if settings.run else []
    for folder in [*shown, *runs]:
        yield from _json(folder / "run.json")
        yield from _json(folder / "training.json")
    for file in [*data.glob("*.json"), *data.glob("*/*.json")]:
        yield from _json(file)
    lines: list[Any] = []
    for file in data.glob("made/*.jsonl"):
        try:
            read_json_lines(file, lines.append)
        except OSError as exc:
            log.info("A list is not searched for names: %s", exc)
    yield lines[-GENERATED_SEARCHED:]


def _start(text: str, places: tuple[str, ...]) -> str:
    """Return the place that a path lies in, or nothing."""
    return next((place for place in places if text.startswith(place)), "")


def _json(path: Path) -> Iterator[Any]:
    try:
        yield read_json(path)
    except (OSError, ValueError):
        return  # not there, or damaged


def _texts(data: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Return texts of records that are paths or names: their kind, and the text."""
    if isinstance(data, dict):
        for name, value in data.items():
            if "/" in str(name) or "\\" in str(name):
                yield "path", str(name)
            yield from _texts(value, str(name).casefold())
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value, key)
    elif isinstance(data, str) and data:
        if "reason" not in key and "error" not in key and "note" not in key and ("/" in data or "\\" in data):
            yield "path", data
        elif any(word in key for word in _NAMING):
            yield "name", data


def _last_run(redactor: Redactor, shown: str) -> dict[str, Any] | None:
    """Return settings and result of the run that was shown last, or of the newest one."""
    folders = [Path(shown)] if shown else []
    folders += sorted(_entries(paths.runs_dir()), key=lambda path: path.name, reverse=True)[:1]
    for folder in folders:
        for data in _json(folder / "run.json"):
            if not isinstance(data, dict):
                continue
            kept = {name: redactor.value(data[name]) for name in _RECORD if name in data}
            sounds = [text for text in _listed(data.get("sounds")) if isinstance(text, str)]
            kept["sounds"] = len(sounds)
            kept["sound_names"] = [redactor.token(Path(text).name) for text in sounds[:SOUNDS_LISTED]]
            kept["skipped"] = [
                {"sound": redactor.token(Path(str(item.get("path"))).name),
                 "reason": redactor.text(str(item.get("reason")))}
                for item in _listed(data.get("skipped"))[:SOUNDS_LISTED] if isinstance(item, dict)
            ]  # fmt: skip
            kept["fixes"] = len(data["fixes"]) if isinstance(data.get("fixes"), dict) else 0
            kept["starts_from"] = bool(data.get("origin"))
            return kept
    return None


def _settings(redactor: Redactor, settings: WindowSettings) -> dict[str, Any]:
    kept = {name: redactor.value(getattr(settings, name)) for name in _SETTINGS}
    lists = ("sounds", "recent", "excluded", "removed", "fixes", "columns")
    return {**kept, **{name: len(getattr(settings, name)) for name in lists}, "damaged": list(settings.damaged)}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _end_of(path: Path, most: int) -> str:
    """Return whole lines from the end of a file, or nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            data = file.read(most)
    except OSError:
        return ""
    if size > most:
        data = data.partition(b"\n")[2]
    return data.decode("utf-8", "replace")


def _as_text(data: dict[str, Any] | None) -> str:
    return "" if data is None else json.dumps(data, indent=2, ensure_ascii=False)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without an account, as in a container
        return ""
