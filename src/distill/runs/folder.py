"""The folder of a run: who owns it, and a record of it that a person and the window can read.  No torch here.

::

    run.json            what was trained on what, how, and how it ended (this record)
    history.jsonl       every step and epoch, one event a line, as ``distill train --json`` prints them
    checkpoints/ previews/ model.distill
    run.lock            held by the process that trains here; the system lets go of it when that process dies
    training.json       the computer that trains here right now; see `distill.runs.run_owner`
"""

import json
import logging
import math
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import filelock

from distill.audio.decoding.fixes import SoundFix
from distill.audio.scan_result import SkippedSound
from distill.config.catalog import config_from_dict
from distill.config.training import AnyConfig
from distill.errors import RunFolderError
from distill.events import UNSAVED, Event, event_to_dict
from distill.files import clear_partial_files, parse_json, read_json, read_json_lines, write_json, write_whole
from distill.metrics_history import AnyHistory, MetricsHistory, VQMetricsHistory
from distill.paths import MOST_RECORD_BYTES, RUN_MARKER
from distill.runs.run_owner import LOCK, SignsOfLife, other_host, training_host

log = logging.getLogger(__name__)

RECORD_VERSION = 1
HISTORY, MODEL = "history.jsonl", "model.distill"

#: How long a lock that is taken is waited for: a list of runs looks at it for a moment.
_LOCK_PATIENCE_SECONDS = 0.25

#: How the line of an epoch begins, whatever the family; the lines of steps begin otherwise.
_EPOCH_STARTS = (b'{"event": "EpochMetrics"', b'{"event": "VQEpochMetrics"')
#: Bytes of a history that are read at once.
_CHUNK_BYTES = 1 << 20
#: Bytes at the end of a history that its last steps are read from.
_TAIL_BYTES = 1 << 18


@dataclass(frozen=True)
class Interruption:
    """The place at which a run was killed, in epochs: 1 is the end of the first one.

    Attributes
    ----------
    kept
        Where the newest checkpoint stood, from which the run continues; 0 without one.
    reached
        Where the history ended.
    is_resumed
        Whether the run has gone on since.
    """

    kept: float
    reached: float
    is_resumed: bool = True

    @classmethod
    def from_list(cls, items: object) -> "list[Interruption]":
        """Return what a record holds; what is damaged is left out."""
        found = []
        for item in items if isinstance(items, list) else ():
            with suppress(TypeError, ValueError, LookupError, OverflowError):
                kept, reached = float(item["kept"]), float(item["reached"])
                if 0 <= kept <= reached < math.inf:
                    found.append(cls(kept, reached))
        return found


@dataclass
class RunRecord:
    """What ``run.json`` says.

    Attributes
    ----------
    config
        Settings of the run.
    file_paths
        Sounds that were given.
    skipped
        Sounds that were left out, with the reason.
    dataset_name, model_name
        For people.
    status
        ``"running"`` (or killed while it was), ``"finished"``, ``"stopped"``, ``"failed"``, or
        ``"could not be saved"``: there was no room for its model.
    error
        Why it failed or could not be saved.
    speed
        Precision, memory layout and threads, and why they were chosen.
    created
        When the run began, ISO 8601.
    notes
        What the user was told: messages in order.
    planned_epochs
        Number of epochs that a run was made for which was finished with fewer; None where its settings say it.
    preview_sounds
        Sounds whose reconstructions are among the previews, by their number; empty where they are not known yet.
    preparation
        How the sounds were prepared; see `distill.audio.decoding.sound_file.PREPARATION`.
    fingerprints
        By path, the hash of each sound's file (``content``) and of its decoded samples (``audio``): by these a run
        finds its sounds again.  Empty for runs of older versions.
    preview_training
        Numbers of those of them that the model is trained on; the others are held out.
    fixes
        What is changed in sounds when they are decoded, by the hash of their file; empty for nothing.
    wanted_fixes
        The same by file, until the files have been read for their hashes.
    split
        What is trained on and what is held out, by content; see `distill.training.data.known_split`.  None in runs of
        older versions.
    origin
        The model or the checkpoint that the run started from, with the split of that; None for none.
    interruptions
        Where the run was killed and went on later, in order.
    kl_epochs
        Number of epochs that the run was begun with, of which the KL warm-up takes its share also after the run was
        extended; None in runs of older versions.
    token
        Tells the run from others that began in the same second; empty in runs of older versions.
    """

    config: AnyConfig
    file_paths: list[Path]
    skipped: list[SkippedSound] = field(default_factory=list)
    dataset_name: str = ""
    model_name: str = ""
    status: str = "running"
    error: str | None = None
    speed: dict[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    notes: list[str] = field(default_factory=list)
    planned_epochs: int | None = None
    preview_sounds: list[Path] = field(default_factory=list)
    preparation: int = 1
    fingerprints: dict[str, dict[str, str]] = field(default_factory=dict)
    preview_training: list[int] = field(default_factory=list)
    fixes: dict[str, SoundFix] = field(default_factory=dict)
    wanted_fixes: dict[Path, SoundFix] = field(default_factory=dict)
    split: dict[str, Any] | None = None
    origin: dict[str, Any] | None = None
    interruptions: list[Interruption] = field(default_factory=list)
    kl_epochs: int | None = None
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def epochs_asked(self) -> int:
        """Number of epochs that the user asked for, also where the run was finished with fewer."""
        return self.planned_epochs or self.config.max_epochs

    @property
    def fixes_of_sounds(self) -> dict[str, SoundFix]:
        """What is changed in sounds, by the hash of their file and by that of their audio: tags may have changed."""
        by_audio = {
            item["audio"]: self.fixes[item["content"]]
            for item in self.fingerprints.values()
            if item["content"] in self.fixes
        }
        return {**by_audio, **self.fixes}

    @property
    def origin_text(self) -> str:
        """What the run started from, for people; empty for nothing."""
        origin = self.origin or {}
        name, epoch = str(origin.get("name", "")), origin.get("epoch", 0)
        if not name:
            return ""
        return f"epoch {epoch} of the run {name}" if origin.get("kind") == "checkpoint" else f"the model {name}"

    @classmethod
    def load(cls, run_dir: Path | str) -> Self:
        """Read the record of a run.

        Raises
        ------
        RunFolderError
            The folder is missing, is no run, or its record is damaged or from a newer version.
        """
        folder = Path(run_dir)
        path = folder / RUN_MARKER
        try:
            if not path.is_file():
                raise RunFolderError(
                    f"{folder} is not the folder of a run: it has no {RUN_MARKER}. Choose another folder."
                )
            data = read_json(path, MOST_RECORD_BYTES)
            if data["version"] > RECORD_VERSION:
                raise RunFolderError(f"{folder} was made by a newer version of Distill. Update Distill to open it.")
            _check_types(data)
            return cls(
                config=config_from_dict(data["config"]),
                file_paths=[Path(p) for p in data["sounds"]],
                skipped=[SkippedSound(Path(s["path"]), s["reason"]) for s in data["skipped"]],
                **{key: data[key] for key in ("dataset_name", "model_name", "status", "error", "speed", "created")},
                notes=list(data["notes"]),
                planned_epochs=data.get("planned_epochs"),
                preview_sounds=[Path(p) for p in data.get("preview_sounds", ())],
                preparation=int(data.get("preparation", 1)),
                fingerprints={
                    str(path): {"content": str(item["content"]), "audio": str(item["audio"])}
                    for path, item in dict(data.get("fingerprints", {})).items()
                },
                preview_training=[int(number) for number in data.get("preview_training", ())],
                fixes={str(key): fix for key, fix in _fixes(data, "fixes")},
                wanted_fixes={Path(key): fix for key, fix in _fixes(data, "wanted_fixes")},
                split=None if data.get("split") is None else dict(data["split"]),
                origin=None if data.get("origin") is None else dict(data["origin"]),
                interruptions=Interruption.from_list(data.get("interruptions")),
                kl_epochs=data.get("kl_epochs"),
                token=str(data.get("token", ""))[:_MOST_TOKEN],
            )
        except RunFolderError:
            raise
        except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as exc:
            reason = getattr(exc, "strerror", None) or str(exc)[:200]
            raise RunFolderError(f"The record of the run, {path}, cannot be read ({reason}).") from exc

    def save(self, run_dir: Path) -> None:
        """Write the record, whole or not at all.

        Raises
        ------
        OSError
            It cannot be written.
        """
        optional: dict[str, Any] = {"split": self.split, "origin": self.origin, "kl_epochs": self.kl_epochs}
        optional["token"] = self.token or None
        optional["fixes"] = {key: fix.to_dict() for key, fix in self.fixes.items()} or None
        optional["wanted_fixes"] = {str(path): fix.to_dict() for path, fix in self.wanted_fixes.items()} or None
        places = [{"kept": place.kept, "reached": place.reached} for place in self.interruptions]
        write_json(
            run_dir / RUN_MARKER,
            {
                "version": RECORD_VERSION,
                "dataset_name": self.dataset_name,
                "model_name": self.model_name,
                "created": self.created,
                "status": self.status,
                "error": self.error,
                "config": self.config.to_dict(),
                "speed": self.speed,
                "sounds": [str(p) for p in self.file_paths],
                "skipped": [{"path": str(s.path), "reason": s.reason} for s in self.skipped],
                "notes": self.notes,
                "planned_epochs": self.planned_epochs,
                "preview_sounds": [str(p) for p in self.preview_sounds],
                "preparation": self.preparation,
                "fingerprints": self.fingerprints,
                "preview_training": self.preview_training,
                **{key: value for key, value in optional.items() if value is not None},
                **({"interruptions": places} if places else {}),
            },
        )


#: Types of the entries of ``run.json`` that are taken as they are, and the values that a status may have.
_TYPES: dict[str, type | tuple[type, ...]] = {
    "dataset_name": str, "model_name": str, "status": str, "created": str, "error": (str, type(None)), "speed": dict,
    "sounds": list, "skipped": list, "notes": list,
}  # fmt: skip
_STATUSES = ("running", "finished", "stopped", "failed", UNSAVED)
#: Most characters of a token that is taken over.
_MOST_TOKEN = 64
#: Most epochs of a run; a number without bounds overflows where it is computed with.
_MOST_EPOCHS = 100_000


def _fixes(data: dict[str, Any], name: str) -> Iterator[tuple[str, SoundFix]]:
    """Yield the fixes of an entry of ``run.json``, each with what it is kept under."""
    for key, item in dict(data.get(name) or {}).items():
        yield key, SoundFix.from_dict(item)


def _check_types(data: dict[str, Any]) -> None:
    """Raise a TypeError or ValueError that names the first entry of a wrong type or value."""
    for name, expected in _TYPES.items():
        if not isinstance(data[name], expected):
            raise TypeError(f"{name!r} has an unusable value")
    if data["status"] not in _STATUSES:
        raise ValueError(f"unknown status {data['status']!r}")
    for name in ("planned_epochs", "kl_epochs"):
        value = data.get(name)
        if value is not None and not (type(value) is int and 0 < value <= _MOST_EPOCHS):
            raise ValueError(f"{name!r} has an unusable value")
    for name in ("sounds", "notes"):
        if not all(isinstance(item, str) for item in data[name]):
            raise TypeError(f"{name!r} has an unusable value")


class RunFolder:
    """The folder of a run, held by this process from `open` to `close`.

    Parameters
    ----------
    path
        The folder.
    resuming
        Whether a run that lies there is to be continued; otherwise the folder must not hold one.

    Raises
    ------
    RunFolderError
        The folder holds another run, is in use by another process, or cannot be made.
    """

    def __init__(self, path: Path, resuming: bool) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.previews = path / "previews"
        self.model_file = path / MODEL
        taken = (path / RUN_MARKER).exists() or any(self.checkpoints.glob("checkpoint_epoch*.pt"))
        if taken and not resuming:
            raise RunFolderError(f"{path} holds another run. Choose an empty folder, or resume that run.")
        if (host := other_host(path)) is not None:
            raise RunFolderError(
                f"{host} is training in {path}, or stopped there less than two minutes ago. Stop it there and try "
                "again, or choose another folder."
            )
        self._is_new = not taken
        self._made: list[Path] = []
        try:
            for folder in (path, self.checkpoints, self.previews):
                if not folder.exists():
                    self._made.append(folder)
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = filelock.FileLock(path / LOCK, timeout=_LOCK_PATIENCE_SECONDS, thread_local=False)
            self._lock.acquire(poll_interval=0.02)
        except filelock.Timeout as exc:
            raise RunFolderError(
                f"Another Distill is training in {path} right now. Stop it there, or choose another folder."
            ) from exc
        except OSError as exc:
            raise RunFolderError(f"The folder {path} cannot be used for a run ({exc.strerror or exc}).") from exc
        for folder in (path, self.checkpoints, self.previews):
            clear_partial_files(folder)
        self._signs = SignsOfLife(path)
        self._signs.start()

    def close(self) -> None:
        """Let go of the folder."""
        self._signs.stop()
        self._lock.release()

    def abandon(self) -> bool:
        """Let go of a new run that could not begin, and remove what was made of it; return whether it was new."""
        self.close()
        if self._is_new:
            for name in (RUN_MARKER, LOCK):
                with suppress(OSError):
                    (self.path / name).unlink()
            for folder in reversed(self._made):  # one with other files in it stays
                with suppress(OSError):
                    folder.rmdir()
        return self._is_new

    def write_history(self, history: AnyHistory) -> None:
        """Replace the history on disk, whole or not at all: a resumed run goes back to where its checkpoint stands.

        Raises
        ------
        OSError
            It cannot be written.
        """
        if not history.step_count and not history.epochs:
            (self.path / HISTORY).unlink(missing_ok=True)
            return
        with write_whole(self.path / HISTORY) as file:
            file.writelines(_line(event) for event in history.events())

    def append_history(self, events: Iterable[Event]) -> None:
        """Append events to the history on disk, all or none.

        Raises
        ------
        OSError
            It cannot be written.
        """
        left = memoryview(b"".join(_line(event) for event in events))
        if not left:
            return
        with (self.path / HISTORY).open("ab", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            try:
                while left:
                    left = left[file.write(left) :]
            except OSError:
                with suppress(OSError):  # what was written comes again with the next try
                    file.truncate(before)
                raise


class FollowedFolder(RunFolder):
    """The folder of a run that another process of the same training holds: this one writes nothing there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.previews = path / "previews"
        self.model_file = path / MODEL

    def close(self) -> None:
        """Do nothing: the other process lets go of it."""

    def abandon(self) -> bool:
        """Do nothing, as `close`."""
        return False

    def write_history(self, history: AnyHistory) -> None:
        """Do nothing: the other process writes it."""

    def append_history(self, events: Iterable[Event]) -> None:
        """Do nothing: the other process writes them."""


def _line(event: Event) -> bytes:
    """Return the line of an event in a history."""
    return (json.dumps(event_to_dict(event), allow_nan=False) + "\n").encode()


def is_locked(run_dir: Path) -> bool:
    """Whether a process trains in a run's folder right now: this one, or another, also on another computer."""
    return training_host(run_dir) is not None


def read_history(run_dir: Path | str) -> AnyHistory:
    """Return the steps and epochs of a run as far as they are on disk, without damaged lines.

    Raises
    ------
    RunFolderError
        The folder is no run.
    """
    folder = Path(run_dir)
    record = RunRecord.load(folder)
    history: AnyHistory = VQMetricsHistory() if record.config.family == "vqvae" else MetricsHistory()
    try:
        skipped = read_json_lines(folder / HISTORY, history.add_dict)
    except FileNotFoundError:
        return history
    except OSError as exc:
        log.warning("The history of %s cannot be read: %s", folder, exc)
        return history
    if skipped:
        log.warning("%d damaged lines in the history of %s were skipped.", skipped, folder)
    return history


def read_losses(history: Path) -> Iterator[float]:
    """Yield the held-out loss of each epoch in a history; what a crash cut short is left out."""
    for epoch in read_epochs(history):
        try:
            yield float(epoch["val_loss"])
        except (ValueError, LookupError, TypeError, OverflowError):
            continue


def read_epochs(history: Path) -> Iterator[dict[str, Any]]:
    """Yield what was measured in each epoch of a history, by name; damaged lines are left out."""
    try:
        with history.open("rb", buffering=_CHUNK_BYTES) as file:
            for line in file:
                if line.startswith(_EPOCH_STARTS):
                    with suppress(ValueError):
                        yield parse_json(line)
    except OSError as exc:
        log.info("A history cannot be read: %s", exc)


def last_position(run_dir: Path, history_type: type[AnyHistory]) -> float:
    """Return where a run's history on disk ends, in epochs; only its last lines are read."""
    history = history_type()
    try:
        with (run_dir / HISTORY).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return 0.0
    for line in lines:  # the first one may be cut
        with suppress(ValueError, LookupError, TypeError, AttributeError, OverflowError):
            history.add_dict(parse_json(line))
    return history.position
