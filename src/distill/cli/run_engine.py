"""What the commands that train share: Ctrl-C, the display of a run, its files and its exit code.

Of a model that could not be written into its run's folder they ask where it is to be saved.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from distill import diagnostics
from distill.cli.output.printable_text import printable
from distill.cli.output.run_display import Display, make_display
from distill.cli.runs import verdict_line
from distill.distributed.torchrun import OneProcess, read_launch
from distill.errors import Cancelled, DistillError, ModelNotSavedError
from distill.events import UNSAVED, Event
from distill.files import free_path
from distill.names import slug
from distill.process.stop_signals import EXIT_STOPPED, stop_on_signal

if TYPE_CHECKING:
    from distill.distributed.ranks import Ranks
    from distill.training.ending.finalize import UnsavedModel


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
            ask_where_to_save(unsaved, model_file)
        raise ModelNotSavedError(str(result["error"]))
    if model_file.exists():
        say(f"Model: {printable(model_file)}", as_json)
    if result.get("metrics_history") is not None:
        say(verdict_line(run_dir, result["metrics_history"]), as_json)
    return run_dir, result["outcome"] == "stopped"


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


def ask_where_to_save(model: "UnsavedModel", model_file: Path) -> None:
    """Ask where a model is to be saved until it is; at the end of the input it is given up.

    Parameters
    ----------
    model
        The model.
    model_file
        Its file in its run's folder, for which there may be room by now.
    """
    print("Save it as a file, or into a folder. Enter alone tries the run's folder again; Ctrl-D gives the model up.")
    while True:
        try:
            text = input("Save the model as: ").strip()
        except EOFError:
            print()
            return
        target = Path(text).expanduser() if text else model_file
        if target.is_dir():
            target /= slug(model.name)
        if target.suffix != model_file.suffix:
            target = target.with_name(target.name + model_file.suffix)
        try:
            print(f"Model: {printable(model.save(free_path(target)))}", flush=True)
        except (OSError, DistillError) as error:
            print(f"{printable(target)} cannot be written: {getattr(error, 'strerror', None) or error}.", flush=True)
        else:
            return
