"""What a new run is given: its sounds, of which too few are refused, what it starts from, and a name that is free."""

import math
import os
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import filelock
import typer

from distill import paths
from distill.cli.options import given_options
from distill.cli.output.printable_text import printable
from distill.cli.run_engine import say
from distill.computing.unresponsive_drives import wait_for
from distill.errors import Cancelled, LibraryError, NotEnoughSoundsError, SoundError
from distill.files import is_file
from distill.names import MOST_NAME, free_name, taken_names

if TYPE_CHECKING:
    from distill.audio.scan_result import ScanResult, SoundEntry
    from distill.config.training import AnyConfig
    from distill.training.start_point import StartPoint


def find_sounds(given: list[Path], demo: bool, stop: threading.Event, as_json: bool) -> tuple[list[Path], int]:
    """Return all files to give to the engine, which reports the bad ones, and how many look usable.

    Raises
    ------
    NotEnoughSoundsError
        A run could not begin with them.
    """
    from distill.audio.sound_scan import scan_sounds

    if demo:
        from distill.audio.demo.demo_sounds import write_demo_sounds

        given = [*given, *write_demo_sounds()]
    scan = wait_for(lambda _progress: scan_sounds(given, cancel_event=stop), stop, given)
    if text := scan.passed_over_text():
        say(printable(text), as_json)
    _refuse_too_few(scan, given)
    _refuse_too_few(wait_for(lambda _progress: _first_usable_sounds(scan, stop), stop, given), given)
    files = [entry.path for entry in scan.entries] + [sound.path for sound in scan.skipped]
    return files, len(scan.entries)


def _first_usable_sounds(scan: "ScanResult", stop: threading.Event) -> "ScanResult":
    """Return the first two sounds that can be used, and what cannot be used before them: silence has a header, too.

    The run finds in the cache what is decoded here.
    """
    from distill.audio.cache.sound_cache import SoundCache
    from distill.audio.scan_result import SkippedSound

    cache, skipped = SoundCache(), list(scan.skipped)
    usable: list[SoundEntry] = []
    for entry in scan.entries:
        try:
            cache.get(entry.path, stop)
        except SoundError as exc:
            skipped.append(SkippedSound(entry.path, str(exc)))
        else:
            usable.append(entry)
        if len(usable) > 1:
            break
    return replace(scan, entries=tuple(usable), skipped=tuple(skipped))


def _refuse_too_few(scan: "ScanResult", given: list[Path]) -> None:
    from distill.runs.estimates.enough_sounds import too_few_text
    from distill.training.data.split import MIN_DIVIDED_CHUNKS

    entries = scan.entries
    if len(entries) > 1 or (entries and math.ceil(entries[0].duration_s) >= MIN_DIVIDED_CHUNKS):
        return
    if not scan.file_count:
        raise NotEnoughSoundsError(f"There are no sounds in {given[0]}. Choose a folder of sounds.")
    usable = f"only {entries[0].name} can be used" if entries else "none can be used"
    raise NotEnoughSoundsError(too_few_text(MIN_DIVIDED_CHUNKS, usable, scan.skipped))


StartFrom = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="MODEL",
        exists=True,
        show_default=False,
        help="Go on from what a model has learnt: a .distill file, a checkpoint, or the folder of a run. Family and "
        "size are the model's. Without SOUNDS, the sounds of the run.",
    ),
]
StartEpoch = Annotated[
    int | None,
    typer.Option("--from-epoch", min=1, show_default=False, help="With --from RUN: the epoch to start from."),
]
#: Options of the command that are settings of the shape of a model.
_SETTINGS = ("family",)


def set_options(context: typer.Context) -> frozenset[str]:
    """Return the names of the settings that were given on the command line."""
    return given_options(context, *_SETTINGS)


@dataclass(frozen=True)
class Origin:
    """What a new run starts from, if it does not start from nothing; ``chosen`` are the settings that were given."""

    start: "StartPoint | None" = None
    path: Path | None = None
    chosen: Collection[str] = ()

    @classmethod
    def of(cls, path: Path | None, epoch: int | None, chosen: Collection[str]) -> "Origin":
        """Read the model or the checkpoint.

        Raises
        ------
        DistillError
            It cannot be used.
        """
        if path is None:
            if epoch is not None:
                raise typer.BadParameter("--from-epoch needs --from with the folder of a run.")
            return cls()
        if epoch is not None and not path.is_dir():
            raise typer.BadParameter(f"--from-epoch is for the folder of a run, and {path} is one file.")
        from distill.runs.checkpoint_folder import checkpoint_of
        from distill.training.start_point import read_start

        file = checkpoint_of(path, epoch)
        return cls(read_start(file), file, chosen)

    @property
    def family(self) -> str:
        """The family of the model, unless another was asked for, which `fit` refuses."""
        return "" if self.start is None or "family" in self.chosen else self.start.config.family

    def sounds(self) -> list[Path]:
        """Return the sounds of the run that the model is from, as far as they are there."""
        return [] if self.start is None else [path for path in self.start.sounds if is_file(path)]

    def fit(self, config: "AnyConfig") -> "AnyConfig":
        """Return settings with the shape of the model.

        Raises
        ------
        ConfigurationError
            What was asked for is not the model's.
        """
        from distill.config.factory import config_from_model

        return config if self.start is None else config_from_model(config, self.start.config, self.chosen)


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
