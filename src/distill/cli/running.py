"""What the commands that train share: Ctrl-C, the display of a run, its files and its exit code."""

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import typer

from distill import diagnostics, paths
from distill.cli.runs import verdict_line
from distill.cli.terminal import Display, make_display, printable
from distill.computing.waiting import wait_for
from distill.distributed.launch import OneProcess, read_launch
from distill.errors import Cancelled, DistillError, LibraryError, ModelNotSavedError, NotEnoughSoundsError, SoundError
from distill.events import UNSAVED, Event
from distill.files import free_path
from distill.runtime import EXIT_STOPPED, stop_on_signal

if TYPE_CHECKING:
    from distill.audio.scan_result import ScanResult, SoundEntry
    from distill.distributed.ranks import Ranks
    from distill.training.unsaved_model import UnsavedModel

#: Seconds for which the start of another run is waited for, and between two looks at whether the user stops.
_NAMING_PATIENCE_S, _LOOK_S = 30.0, 0.1

STOPPING = "Stopping after this step. Press Ctrl-C again to stop at once, without a checkpoint."


@contextmanager
def stoppable(message: str) -> Iterator[threading.Event]:
    """Give an event that Ctrl-C sets; what was cancelled by it before the run began ends with the same exit code."""
    from distill.errors import NoAnswer

    launch = read_launch()
    if launch is not None:
        message = "Stopping after this step, with a checkpoint." if launch.rank == 0 else ""
    with stop_on_signal(message, is_patient=launch is not None) as stop:
        try:
            yield stop
        except NoAnswer as error:
            text = f"{error} Stopped before a run began: nothing was changed."
            print(f"distill: {printable(text)}", file=sys.stderr, flush=True)
            raise typer.Exit(EXIT_STOPPED) from None
        except Cancelled:
            raise typer.Exit(EXIT_STOPPED) from None


@contextmanager
def joined(stop: threading.Event) -> "Iterator[Ranks | OneProcess]":
    """Give the processes that torchrun has started, of which only the first one prints; otherwise this process."""
    if read_launch() is None:  # torch is imported only where it is needed
        yield OneProcess()
        return
    from distill.distributed import ranks as processes
    from distill.errors import PeerError

    with processes.joined(stop) as ranks:
        try:
            yield ranks
        except PeerError as error:
            if ranks.is_first:
                raise
            if ranks.speaks_for_all:  # at once: torchrun is about to kill this process
                print(f"distill: {printable(error)}", file=sys.stderr, flush=True)
            raise typer.Exit(1) from None


Engine = Callable[[Callable[[Event], None]], dict[str, Any]]


def run_engine(run: Engine, display: Display, stop: threading.Event, as_json: bool) -> None:
    """Run the engine under a display, say where its files are, and leave with the exit code of its outcome."""
    run_dir, is_stopped = engine_outcome(run, display, stop, as_json)
    if is_stopped:
        say(f'Go on with: distill resume "{printable(run_dir)}"', as_json)
        raise typer.Exit(EXIT_STOPPED)


def run_shared(
    run: Engine, as_json: bool, epochs: int | None, stop: threading.Event, ranks: "Ranks | OneProcess"
) -> None:
    """Run the engine on the processes that `joined` gives, of which the first one has the display."""
    if ranks.is_first:
        run_engine(run, make_display(as_json, epochs), stop, as_json)
        return
    diagnostics.start()
    outcome = run(lambda event: None)["outcome"]
    raise typer.Exit({"finished": 0, "stopped": EXIT_STOPPED}.get(outcome, 1))


def engine_outcome(run: Engine, display: Display, stop: threading.Event, as_json: bool) -> tuple[Path, bool]:
    """Run the engine under a display and say where its model is; return the run's folder and whether it was stopped.

    A model that could not be saved stays in memory until the user has said where else to save it, if there is a user.

    Raises
    ------
    ModelNotSavedError
        The run's model could not be saved.
    DistillError
        The run has failed.
    """
    diagnostics.start()
    with display:
        result = run(_stop_at_closed_pipe(display, stop))
    run_dir = Path(result["output_dir"])
    model_file = run_dir / "model.distill"
    if result["outcome"] == UNSAVED:
        unsaved = result.get("unsaved_model")
        if unsaved is not None and not as_json and sys.stdin is not None and sys.stdin.isatty():
            say(printable(f"{result['error']} The model “{unsaved.name}” is kept in memory."), as_json)
            _save_elsewhere(unsaved, model_file)
        raise ModelNotSavedError(str(result["error"]))
    if model_file.exists():
        say(f"Model: {printable(model_file)}", as_json)
    if result.get("metrics_history") is not None:
        say(verdict_line(run_dir, result["metrics_history"]), as_json)
    return run_dir, result["outcome"] == "stopped"


def _save_elsewhere(model: "UnsavedModel", own: Path) -> None:
    """Ask where a model is to be saved until it is; at the end of the input it is given up.

    Parameters
    ----------
    model
        The model.
    own
        Its file in its run's folder, for which there may be room by now.
    """
    print("Save it as a file, or into a folder. Enter alone tries the run's folder again; Ctrl-D gives the model up.")
    while True:
        try:
            text = input("Save the model as: ").strip()
        except EOFError:
            print()
            return
        target = Path(text).expanduser() if text else own
        if target.is_dir():
            target /= paths.slug(model.name)
        if target.suffix != own.suffix:
            target = target.with_name(target.name + own.suffix)
        try:
            print(f"Model: {printable(model.save(free_path(target)))}", flush=True)
        except (OSError, DistillError) as error:
            print(f"{printable(target)} cannot be written: {getattr(error, 'strerror', None) or error}.", flush=True)
        else:
            return


def _stop_at_closed_pipe(display: Display, stop: threading.Event) -> Callable[[Event], None]:
    """Return a callback that stops the run when nobody reads its output any more (``distill train ... | head``)."""

    def show(event: Event) -> None:
        try:
            display(event)
        except BrokenPipeError:
            stop.set()
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())

    return show


def say(message: str, as_json: bool) -> None:
    """Print a line for people: beside the events where those are for a program."""
    print(message, file=sys.stderr if as_json else sys.stdout, flush=True)


def find_sounds(given: list[Path], demo: bool, stop: threading.Event, as_json: bool) -> tuple[list[Path], int]:
    """Return all files to give to the engine, which reports the bad ones, and how many look usable.

    Raises
    ------
    NotEnoughSoundsError
        A run could not begin with them.
    """
    from distill.audio.sound_scan import scan_sounds

    if demo:
        from distill.audio.demo.sounds import write_demo_sounds

        given = [*given, *write_demo_sounds()]
    found = wait_for(lambda _progress: scan_sounds(given, cancel_event=stop), stop, given)
    if text := found.passed_over_text():
        say(printable(text), as_json)
    _refuse_too_few(found, given)
    _refuse_too_few(wait_for(lambda _progress: _first_decoded(found, stop), stop, given), given)
    files = [entry.path for entry in found.entries] + [sound.path for sound in found.skipped]
    return files, len(found.entries)


def _first_decoded(found: "ScanResult", stop: threading.Event) -> "ScanResult":
    """Return the first two sounds that can be used, and what cannot be used before them: silence has a header, too.

    The run finds in the cache what is decoded here.
    """
    from distill.audio.cache.sound_cache import SoundCache
    from distill.audio.scan_result import SkippedSound

    cache, skipped = SoundCache(), list(found.skipped)
    usable: list[SoundEntry] = []
    for entry in found.entries:
        try:
            cache.get(entry.path, stop)
        except SoundError as exc:
            skipped.append(SkippedSound(entry.path, str(exc)))
        else:
            usable.append(entry)
        if len(usable) > 1:
            break
    return replace(found, entries=tuple(usable), skipped=tuple(skipped))


def _refuse_too_few(found: "ScanResult", given: list[Path]) -> None:
    from distill.training.data.split import MIN_DIVIDED_CHUNKS

    entries = found.entries
    if len(entries) > 1 or (entries and math.ceil(entries[0].duration_s) >= MIN_DIVIDED_CHUNKS):
        return
    if not found.file_count:
        raise NotEnoughSoundsError(f"There are no sounds in {given[0]}. Choose a folder of sounds.")
    usable = f"only {entries[0].name} can be used" if entries else "none can be used"
    reasons = "; ".join(f"{item.path.name}: {item.reason}" for item in found.skipped) or "no other file was given"
    raise NotEnoughSoundsError(
        f"Training needs at least 2 sounds, or one of at least {MIN_DIVIDED_CHUNKS} s, but {usable} ({reasons}). Add "
        "more sounds and start again."
    )


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

    own = None if run_dir is None else os.path.realpath(run_dir)
    runs = {run.name for run in list_runs() if os.path.realpath(run.folder) != own}
    models: set[str] = set()
    with suppress(LibraryError):  # which cannot be listed right now
        models = {model.name for model in ModelLibrary(paths.models_dir()).list()}
    return paths.taken_names(runs, (entry.name for entry in RunQueue().read().entries), models)


def say_number(name: str, wanted: str, as_json: bool) -> None:
    """Say that a name was taken, where it was."""
    if name != wanted:
        say(printable(f"There is a run or a model called “{wanted}” already; this run is called “{name}”."), as_json)


def dataset_name(given: list[Path], demo: bool) -> str:
    """Return what the sounds are called together, as long as a name may be."""
    names = ["Demo sounds"] if demo else []
    names += [Path(os.path.realpath(path)).name if path.is_dir() else path.stem for path in given]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return names[0][: paths.MOST_NAME - len(more)].rstrip() + more
