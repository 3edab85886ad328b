"""The queue of runs: what is to be trained one after the other.  No torch here.

``queue.json`` in the user's data folder is written whole at each change, under ``queue.lock``.  Whoever works the
queue off, a window or a terminal, holds ``queue-runner.lock`` meanwhile; the system lets go of it when that process
dies.  So no entry is ever run twice at a time.
"""

import json
import logging
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import filelock

from distill import diagnostics, paths
from distill.audio.decoding.sound_fix import SoundFix
from distill.audio.scan_result import ScanResult
from distill.audio.sound_scan import scan_sounds
from distill.computing.unresponsive_drives import wait_for
from distill.config.factory import config_from_model, make_config
from distill.config.family_catalog import FAMILIES
from distill.config.training import AnyConfig, OverfittingPreset
from distill.errors import Cancelled, DistillError, ModelNotSavedError, QueueError, RunFolderError, is_memory_error
from distill.json_files import keep_damaged, read_json, write_json
from distill.models.file_format import read_config
from distill.paths import RUN_MARKER
from distill.runs.folder import MODEL, new_run_dir
from distill.runs.run_owner import is_locked
from distill.runs.run_record import RunRecord

log = logging.getLogger(__name__)

VERSION = 1
#: What an entry may be.  One that is running while nobody works the queue off was interrupted.
WAITING, RUNNING, STOPPED, FINISHED, FAILED = "waiting", "running", "stopped", "finished", "failed"
_STATUSES = (WAITING, RUNNING, STOPPED, FINISHED, FAILED)
#: Most entries, sounds of one, and settings of one; longest texts.
MOST_ENTRIES, _MOST_SOUNDS, _MOST_SETTINGS, _MOST_TEXT, _MOST_NAME = 1000, 20_000, 200, 4096, 200
_MOST_EPOCHS = 1_000_000
#: Most bytes of the file, which names the sounds of each entry; no entry is added that would make it half as large.
_MOST_BYTES = 64 << 20
#: Characters of a name in a message.
_MOST_SHOWN = 60
#: How long a change waits for one of another process, which takes a moment.
_LOCK_PATIENCE_SECONDS = 10.0

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class QueueEntry:
    """A run that is to be made.

    Attributes
    ----------
    name
        Of the run and its model.
    sounds
        Files and folders.
    family, preset, epochs
        As in `distill.config.factory.make_config`; no epochs are the family's default.
    changes
        Settings that differ from the preset, by name.
    fixes
        What is changed in sounds when they are read, by file.
    start_from
        Model file or checkpoint that the run starts from; None for none.
    status
        `WAITING`, `RUNNING`, `STOPPED`, `FINISHED` or `FAILED`.
    run
        Name of its run's folder among the runs; empty before it has begun.
    problem
        Why it failed, or why its model could not be saved.
    id
        Tells entries apart.
    """

    name: str
    sounds: tuple[Path, ...]
    family: str = "vae"
    preset: str = "auto"
    epochs: int | None = None
    changes: Mapping[str, Scalar] = field(default_factory=dict)
    fixes: Mapping[Path, SoundFix] = field(default_factory=dict)
    start_from: Path | None = None
    status: str = WAITING
    run: str = ""
    problem: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def run_dir(self) -> Path:
        """The folder of its run."""
        return paths.runs_dir() / self.run

    @property
    def is_open(self) -> bool:
        """Whether there is something left to do."""
        return self.status in (WAITING, RUNNING, STOPPED)

    @property
    def is_begun(self) -> bool:
        """Whether its run is there, to be resumed; one that is out of reach is not begun anew."""
        if not self.run:
            return False
        try:
            return (self.run_dir / RUN_MARKER).is_file()
        except OSError:
            return True

    def config(self, file_count: int) -> AnyConfig:
        """Return the settings of its run; one that starts from a model has the shape of that.

        Raises
        ------
        ConfigurationError
            A value is unknown or out of range, or not that of the model.
        DistillError
            The model is gone, or cannot be used.
        """
        config = make_config(self.family, file_count, self.preset, self.epochs, **self.changes)
        if self.start_from is None:
            return config
        if not os.path.isfile(self.start_from):  # noqa: PTH113 - `Path.is_file` fails at a name that is too long
            raise QueueError(
                f"“{self.name}” starts from {self.origin_text}, which is not where it was: {self.start_from}. Put it "
                "back, or add the run again without it."
            )
        return config_from_model(config, read_config(self.start_from), self.changes)

    @property
    def origin_text(self) -> str:
        """What its run starts from, for people; empty for nothing."""
        if self.start_from is None:
            return ""
        file, folder = self.start_from, self.start_from.parent
        epoch = re.fullmatch(r"checkpoint_epoch([0-9]{4,9})\.pt", file.name)
        if epoch is not None:
            return f"epoch {int(epoch[1]) + 1} of the run {folder.parent.name}"
        name = folder.name if file.name == MODEL else re.sub(r"_[0-9a-f]{8}$", "", file.stem)  # the id in a library
        return f"the model {name}"

    def find_sounds(self, cancel_event: threading.Event | None = None) -> tuple[list[Path], int]:
        """Return all files for the engine, which reports those that it cannot use, and how many look usable.

        Among the files are those, and the folders, that are not there any more.

        Raises
        ------
        QueueError
            Nothing is there any more.
        Cancelled
            ``cancel_event`` was set; `NoAnswer` where a drive does not answer.
        """

        def scan(_progress: object) -> tuple[ScanResult, bool]:
            is_there = any(os.path.exists(path) for path in self.sounds)  # noqa: PTH110 - `Path.exists` may fail
            return scan_sounds(self.sounds, cancel_event=cancel_event), is_there

        scanned, is_there = wait_for(scan, cancel_event, self.sounds)
        files = [entry.path for entry in scanned.entries] + [sound.path for sound in scanned.skipped]
        if not is_there or not files:
            raise QueueError(f"The sounds of “{self.name}” are not where they were: {self.sounds[0]}. Put them back.")
        return files, len(scanned.entries)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; fixes and what the run starts from only where there are any."""
        plain = {**asdict(replace(self, fixes={})), "sounds": [str(path) for path in self.sounds]}
        plain |= {"changes": dict(self.changes), "start_from": self.start_from and str(self.start_from)}
        plain["fixes"] = {str(path): fix.to_dict() for path, fix in self.fixes.items()}
        return {key: value for key, value in plain.items() if value or key not in ("fixes", "start_from")}

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Rebuild from `to_dict`'s result; unknown keys are ignored.

        Raises
        ------
        TypeError, ValueError
            It is not such a result.
        """
        if not isinstance(data, dict):
            raise ValueError("an entry must have named parts")
        sounds, changes, epochs = data.get("sounds"), data.get("changes", {}), data.get("epochs")
        texts = {name: data.get(name, "") for name in ("name", "family", "preset", "status", "run", "problem", "id")}
        for name, text in texts.items():
            if not isinstance(text, str) or len(text) > _MOST_TEXT or "\0" in text:
                raise ValueError(f"{name} of an entry is no text")
        run, fixes, start = texts["run"], data.get("fixes", {}), data.get("start_from")
        if (
            not (isinstance(sounds, list) and 0 < len(sounds) <= _MOST_SOUNDS and all(map(_is_path, sounds)))
            or not (isinstance(changes, dict) and len(changes) <= _MOST_SETTINGS)
            or not all(isinstance(value, (bool, int, float, str, type(None))) for value in changes.values())
            or not (isinstance(fixes, dict) and len(fixes) <= _MOST_SOUNDS and all(map(_is_path, fixes)))
            or not all(isinstance(fix, dict) for fix in fixes.values())
            or not (start is None or _is_path(start))
            or not (epochs is None or (type(epochs) is int and 0 < epochs <= _MOST_EPOCHS))
            or texts["family"] not in {row.key for row in FAMILIES}
            or texts["preset"] not in ("auto", *OverfittingPreset)
            or texts["status"] not in _STATUSES
            or not texts["name"]
            or not texts["id"]
            or (run and (Path(run).name != run or run in (".", "..") or "\\" in run))  # a run among the runs
        ):
            raise ValueError("an entry has an unusable value")
        texts["name"] = texts["name"][:_MOST_NAME]
        return cls(
            sounds=tuple(Path(path) for path in sounds), epochs=epochs, changes=changes,
            fixes={Path(path): SoundFix.from_dict(fix) for path, fix in fixes.items()},
            start_from=None if start is None else Path(start), **texts,
        )  # fmt: skip


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MOST_TEXT and "\0" not in value


@dataclass(frozen=True)
class QueueState:
    """What the queue holds.

    Attributes
    ----------
    entries
        In order.
    is_paused
        Whether no further one is to begin.
    damaged
        How many entries were damaged, and are left out.
    is_unreadable
        Whether the file says nothing at all.
    """

    entries: tuple[QueueEntry, ...] = ()
    is_paused: bool = False
    damaged: int = 0
    is_unreadable: bool = False

    @property
    def waiting(self) -> int:
        """How many entries are still to be run."""
        return sum(entry.is_open for entry in self.entries)

    def entry(self, entry_id: str) -> QueueEntry | None:
        """Return an entry by its id."""
        return next((entry for entry in self.entries if entry.id == entry_id), None)


class RunQueue:
    """The queue on disk.

    Parameters
    ----------
    folder
        Where it lies; by default the user's data folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = paths.data_dir() if folder is None else folder
        self.file = self.folder / "queue.json"

    def read(self) -> QueueState:
        """Return what the queue holds.  An entry that is damaged costs only itself.

        Raises
        ------
        QueueError
            The file cannot be read now, or is from a newer version.
        """
        try:
            data = read_json(self.file, _MOST_BYTES)
        except FileNotFoundError:
            return QueueState()
        except OSError as exc:
            raise QueueError(f"The queue in {self.file} cannot be read ({exc.strerror or exc}).") from exc
        except ValueError:
            return QueueState(damaged=1, is_unreadable=True)
        if not isinstance(data, dict) or not isinstance(data.get("entries"), list):
            return QueueState(damaged=1, is_unreadable=True)
        if isinstance(version := data.get("version"), int) and version > VERSION:
            raise QueueError(f"{self.file} was made by a newer version of Distill. Update Distill to use the queue.")
        entries: dict[str, QueueEntry] = {}
        listed = data["entries"][:MOST_ENTRIES]
        for item in listed:
            try:
                entry = QueueEntry.from_dict(item)
            except (ValueError, TypeError) as exc:
                log.warning("An entry of the queue is skipped: %s", exc)
                continue
            entries.setdefault(entry.id, entry)
        return QueueState(tuple(entries.values()), data.get("paused") is True, len(data["entries"]) - len(entries))

    def add(self, entries: Sequence[QueueEntry]) -> None:
        """Append entries.

        Raises
        ------
        QueueError
            There are too many, one could not be read again, or the queue cannot be written.
        """
        for entry in entries:
            _check_readable(entry)
        with self.changing() as change:
            queued = [*change.state.entries, *entries]
            if len(queued) > MOST_ENTRIES:
                raise QueueError(f"The queue holds at most {MOST_ENTRIES} runs. Remove some first.")
            if len(json.dumps([entry.to_dict() for entry in queued])) > _MOST_BYTES // 2:
                raise QueueError(
                    "The queue cannot hold so many sounds that are named one by one. Add their folder, or remove runs "
                    "first."
                )
            change.write(queued)

    def remove(self, ids: Iterable[str]) -> None:
        """Remove entries; the runs that they made stay.

        Raises
        ------
        QueueError
            One of them is being trained, or the queue cannot be written.
        """
        unwanted = set(ids)
        with self.changing() as change:
            for entry in change.state.entries:
                if entry.id in unwanted and entry.status == RUNNING and self.is_worked_off():
                    raise QueueError(f"“{entry.name}” is training right now. Pause it before you remove it.")
            change.write([entry for entry in change.state.entries if entry.id not in unwanted])

    def move(self, entry_id: str, position: int) -> None:
        """Move an entry to a position, which counts from 0.

        Raises
        ------
        QueueError
            The queue cannot be written.
        """
        with self.changing() as change:
            entry = change.state.entry(entry_id)
            if entry is not None:
                others = [other for other in change.state.entries if other.id != entry_id]
                others.insert(max(0, position), entry)
                change.write(others)

    def set_paused(self, is_paused: bool) -> None:
        """Let no further entry begin, or let them again; the running one goes on.

        Raises
        ------
        QueueError
            The queue cannot be written.
        """
        with self.changing() as change:
            change.write(change.state.entries, is_paused)

    def is_worked_off(self) -> bool:
        """Whether a process, this one or another, works the queue off right now."""
        lock = filelock.FileLock(self._runner_file, blocking=False, thread_local=False)
        if not self._runner_file.is_file():
            return False
        try:
            lock.acquire()
        except filelock.Timeout:
            return True
        except OSError:
            return False
        lock.release()
        return False

    @property
    def _runner_file(self) -> Path:
        return self.folder / "queue-runner.lock"

    def hold(self) -> "QueueRunner":
        """Return the right to run its entries.

        Raises
        ------
        QueueError
            Another process has it, or the folder cannot be used.
        """
        lock = filelock.FileLock(self._runner_file, timeout=0.25, thread_local=False)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(poll_interval=0.02)
        except filelock.Timeout as exc:
            raise QueueError("Another Distill works this queue off right now. Stop it there first.") from exc
        except OSError as exc:
            raise QueueError(f"The queue in {self.folder} cannot be used ({exc.strerror or exc}).") from exc
        return QueueRunner(self, lock)

    @contextmanager
    def changing(self) -> Iterator["_Change"]:
        """Give the queue's state, and keep other processes from changing it during the block."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self.folder / "queue.lock", timeout=_LOCK_PATIENCE_SECONDS, thread_local=False):
                yield _Change(self, self.read())
        except filelock.Timeout as exc:
            raise QueueError("Another Distill is changing the queue. Try again.") from exc
        except QueueError:
            raise
        except OSError as exc:
            raise QueueError(f"The queue in {self.file} cannot be written ({exc.strerror or exc}).") from exc


class _Change:
    """A change of the queue, under its lock."""

    def __init__(self, queue: RunQueue, state: QueueState) -> None:
        self._queue, self.state = queue, state

    def write(self, entries: Iterable[QueueEntry], is_paused: bool | None = None) -> None:
        """Write the queue; what was damaged in it is kept beside it."""
        file = self._queue.file
        if self.state.damaged:
            keep_damaged(file, "queue.damaged.json")
        paused = self.state.is_paused if is_paused is None else is_paused
        write_json(file, {"version": VERSION, "paused": paused, "entries": [entry.to_dict() for entry in entries]})


class QueueRunner:
    """The right to run the entries of a queue, from `RunQueue.hold` to `close`."""

    def __init__(self, queue: RunQueue, lock: filelock.BaseFileLock) -> None:
        self._queue, self._lock = queue, lock

    def close(self) -> None:
        """Let go of it."""
        self._lock.release()

    def next(self) -> QueueEntry | None:
        """Return the next entry to run, noted as running; None where there is none, or the queue is paused.

        One that was stopped or interrupted comes again: `QueueEntry.is_begun` then says to resume its run.

        Raises
        ------
        QueueError
            The queue cannot be read or written.
        """
        with self._queue.changing() as change:
            entries = [_brought_up_to_date(entry) for entry in change.state.entries]
            chosen = None
            if not change.state.is_paused:
                chosen = next((entry for entry in entries if entry.is_open and not _is_in_use(entry)), None)
            if chosen is not None:
                run = chosen.run if chosen.is_begun else new_run_dir(chosen.name).name
                begun = replace(chosen, status=RUNNING, run=run, problem="")
                entries = [begun if entry is chosen else entry for entry in entries]
                chosen = begun
            if tuple(entries) != change.state.entries:
                change.write(entries)
            return chosen

    def end(self, entry_id: str, status: str, problem: str = "", pauses: bool = False) -> None:
        """Note how an entry has ended, and let no further one begin where ``pauses`` is set.

        Raises
        ------
        QueueError
            The queue cannot be read or written.
        """
        with self._queue.changing() as change:
            entries = [
                replace(entry, status=status, problem=problem[:_MOST_TEXT]) if entry.id == entry_id else entry
                for entry in change.state.entries
            ]
            change.write(entries, True if pauses else None)


def _check_readable(entry: QueueEntry) -> None:
    """Refuse an entry that would count as damaged when it is read.

    Raises
    ------
    QueueError
        It is one.
    """
    name = entry.name[:_MOST_SHOWN]
    if len(entry.sounds) > _MOST_SOUNDS:
        raise QueueError(
            f"“{name}” has {len(entry.sounds)} sounds, and a run in the queue has at most {_MOST_SOUNDS} that are "
            "named one by one. Add their folder."
        )
    try:
        QueueEntry.from_dict(entry.to_dict())
    except (TypeError, ValueError) as exc:
        raise QueueError(f"“{name}” cannot be added to the queue: {exc}. Change its name or its settings.") from exc


def _is_in_use(entry: QueueEntry) -> bool:
    """Whether somebody has resumed the run of an entry by hand."""
    return entry.is_begun and is_locked(entry.run_dir)


def _brought_up_to_date(entry: QueueEntry) -> QueueEntry:
    """Return an entry whose run was finished, by hand or just before a crash, as finished."""
    if entry.is_open and entry.is_begun:
        try:
            if RunRecord.load(entry.run_dir).status == "finished" and not is_locked(entry.run_dir):
                return replace(entry, status=FINISHED, problem="")
        except RunFolderError as exc:
            return replace(entry, status=FAILED, problem=str(exc)[:_MOST_TEXT])
    return entry


def problem_of(error: Exception) -> str:
    """Return why an entry has failed, in a sentence; a bug is reported."""
    if isinstance(error, DistillError):
        return str(error)
    if is_memory_error(error):
        return "There was not enough memory for this run."
    return f"Something went wrong that should not: {diagnostics.report(error, 'a run of the queue').summary}."


def work_off(
    queue: RunQueue, run: Callable[[QueueEntry], str], emit: Callable[[QueueEntry], None] = lambda _entry: None
) -> list[QueueEntry]:
    """Run the entries one after the other until none is left or the queue is paused, and return them as they ended.

    A pause from before is ended, unless another process works the queue off: that one would go on.

    Parameters
    ----------
    queue
        The queue.
    run
        Trains an entry and returns how that ended, `FINISHED` or `STOPPED`; after the latter no further one begins.
        `Cancelled` stops it as well, and so does `ModelNotSavedError`: the next model could not be written either.
        The queue is then paused, and the entry is resumed by the next call.  Another error fails the entry, and the
        queue goes on.
    emit
        Called with each entry before it begins.

    Raises
    ------
    QueueError
        Another process works the queue off, or it cannot be read or written.
    """
    runner, ended = queue.hold(), []
    try:
        queue.set_paused(False)
        while (entry := runner.next()) is not None:
            emit(entry)
            ended.append(_run_entry(runner, entry, run))
            if ended[-1].status == STOPPED:
                break
    finally:
        runner.close()
    return ended


def _run_entry(runner: QueueRunner, entry: QueueEntry, run: Callable[[QueueEntry], str]) -> QueueEntry:
    """Run an entry and return it as it ended, which is noted; see `work_off`."""
    status, problem = STOPPED, ""
    try:
        status = run(entry)
    except Cancelled:
        log.info("The run %s was stopped before its sounds were read.", entry.name)
    except ModelNotSavedError as exc:
        with suppress(QueueError):  # on the same full disk; it is then found as interrupted
            runner.end(entry.id, STOPPED, str(exc), pauses=True)
        return replace(entry, status=STOPPED, problem=str(exc))
    except Exception as exc:  # boundary: whatever ends one entry, the others are run
        status, problem = FAILED, problem_of(exc)
    except BaseException:
        runner.end(entry.id, STOPPED)
        raise
    runner.end(entry.id, status, problem)
    return replace(entry, status=status, problem=problem)
