"""The folder of a run: its path, made, and locked for the process that trains in it.  No torch here.

::

    run.json            what was trained on what, how, and how it ended; see `distill.runs.run_record`
    history.jsonl       every step and epoch, one event a line, as ``distill train --json`` prints them;
                        see `distill.runs.run_history`
    checkpoints/ previews/ model.distill
    run.lock            held by the process that trains here; the system lets go of it when that process dies
    training.json       the computer that trains here right now; see `distill.runs.run_owner`
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from distill.errors import RunFolderError
from distill.events import Event
from distill.housekeeping import clear_partial_files
from distill.metrics_history import AnyHistory
from distill.names import slug
from distill.paths import RUN_MARKER, runs_dir
from distill.runs.run_history import append_history, write_history
from distill.runs.run_owner import LOCK, SignsOfLife, lock_run, other_host

MODEL = "model.distill"
_CHECKPOINT = re.compile(r"checkpoint_epoch(\d+)\.pt")


def checkpoint_epochs(run_dir: Path) -> list[int]:
    """Return the epochs, which count from 0, that a run has checkpoints of.  Names alone are read."""
    names = (path.name for path in (run_dir / "checkpoints").glob("checkpoint_epoch*.pt"))
    return sorted(int(match[1]) for name in names if (match := _CHECKPOINT.fullmatch(name)))


def new_run_dir(name: str) -> Path:
    """Return a path for a new run's folder, not yet made: date, time and name, made unique by a number."""
    stem = f"{datetime.now():%Y-%m-%d %H.%M.%S} {slug(name, 'run')}"
    run_dir, number = runs_dir() / stem, 2
    while run_dir.exists():
        run_dir, number = runs_dir() / f"{stem} ({number})", number + 1
    return run_dir


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
            self._lock = lock_run(path)
        except RunFolderError:
            raise
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
        write_history(self.path, history)

    def append_history(self, events: Iterable[Event]) -> None:
        """Append events to the history on disk, all or none.

        Raises
        ------
        OSError
            It cannot be written.
        """
        append_history(self.path, events)


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
