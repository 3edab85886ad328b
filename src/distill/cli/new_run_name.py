"""Names of new runs: the name of the sounds, names that are taken, and one run at a time."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import filelock

from distill import paths
from distill.cli.output.text import printable
from distill.cli.run_engine import say
from distill.errors import Cancelled, LibraryError
from distill.names import MOST_NAME, free_name, taken_names

#: Seconds for which the start of another run is waited for, and between two looks at whether the user stops.
_NAMING_PATIENCE_S, _LOOK_S = 30.0, 0.1


class NamingTurn:
    """The right to give a run its name and its folder, from `take` until its record is on disk.

    Runs that are started at the same moment would otherwise take the same ones.
    """

    def __init__(self) -> None:
        self._lock = filelock.FileLock(paths.data_dir() / "names.lock", thread_local=False)

    def take(self, stop: threading.Event) -> None:
        """Wait for those who were here before; after a while no longer, because one of them may hang.

        Raises
        ------
        Cancelled
            The user stopped.
        """
        deadline = time.monotonic() + _NAMING_PATIENCE_S
        with suppress(OSError):  # where nothing can be written, the run says so
            paths.data_dir().mkdir(parents=True, exist_ok=True)
            while time.monotonic() < deadline:
                if stop.is_set():
                    raise Cancelled
                with suppress(filelock.Timeout):
                    self._lock.acquire(timeout=_LOOK_S)
                    return

    def close(self) -> None:
        """Let the next one take it, if it was taken."""
        self._lock.release()


def names_in_use(run_dir: Path | None = None) -> set[str]:
    """Return the names that a new run on this computer does not get; that of the run in ``run_dir`` does not count."""
    from distill.library.model_library import ModelLibrary
    from distill.runs.queue import RunQueue
    from distill.runs.summary import list_runs

    own_folder = None if run_dir is None else os.path.realpath(run_dir)
    runs = {run.name for run in list_runs() if os.path.realpath(run.folder) != own_folder}
    models: set[str] = set()
    with suppress(LibraryError):  # which cannot be listed right now
        models = {model.name for model in ModelLibrary(paths.models_dir()).list()}
    return taken_names(runs, (entry.name for entry in RunQueue().read().entries), models)


def free_run_name(wanted: str, run_dir: Path, as_json: bool) -> str:
    """Return the name of the run in ``run_dir``, with a number where it is taken, and say so."""
    name = free_name(wanted, names_in_use(run_dir))
    if name != wanted:
        say(printable(f"There is a run or a model called “{wanted}” already; this run is called “{name}”."), as_json)
    return name


def dataset_name(given: list[Path], demo: bool) -> str:
    """Return what the sounds are called together, as long as a name may be."""
    names = ["Demo sounds"] if demo else []
    names += [Path(os.path.realpath(path)).name if path.is_dir() else path.stem for path in given]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return names[0][: MOST_NAME - len(more)].rstrip() + more
