"""Showing a run in a terminal: a progress bar, plain lines where there is no terminal, or JSON for other programs.

Each display is a context manager that is called with every event of the run.  Displays know kinds of events, not
families: those of the variational and those of the quantized autoencoders differ in one loss term.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from statistics import median
from typing import TYPE_CHECKING, Protocol, Self

from distill.cli.output.printable_text import duration, printable
from distill.events import (
    EpochMetrics,
    Event,
    PreparationProgress,
    PreviewEvent,
    StartPreviewEvent,
    StepMetrics,
    TrainingCompleteEvent,
    TrainingNotice,
    VQEpochMetrics,
    VQStepMetrics,
    event_to_dict,
)
from distill.training.steps.eta import GUESS_SECONDS, GUESS_STEPS, TimeLeft

if TYPE_CHECKING:
    from rich.progress import ProgressColumn, TaskID

#: Seconds after which a plain display tells where a long epoch stands.
QUIET_SECONDS = 30.0

#: The stage of the bar over all steps; the others are named by what is done.
_TRAINING = "training"

_LEVELS = {"info": "Note", "warning": "Warning", "error": "Error"}
AnyStep = StepMetrics | VQStepMetrics
AnyEpoch = EpochMetrics | VQEpochMetrics


class Display(AbstractContextManager["Display"], Protocol):
    """Shows the events of a run while its ``with`` block lasts."""

    def __call__(self, event: Event) -> None:
        """Show an event."""


def make_display(as_json: bool, total_epochs: int | None) -> Display:
    """Return the display that fits standard output.

    Parameters
    ----------
    as_json
        Whether another program reads the output.
    total_epochs
        Number of epochs, or None where only the run itself knows.
    """
    if as_json:
        return JsonLines()
    from rich.console import Console

    console = Console()
    return (
        ProgressBar(total_epochs) if console.is_terminal and not console.is_dumb_terminal else PlainLines(total_epochs)
    )


class JsonLines:
    """Each event is one JSON object on a line of its own, and nothing else is on standard output."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        sys.stdout.flush()

    def __call__(self, event: Event) -> None:
        """Print the event; it is flushed at once, for a reader that shows it live."""
        print(json.dumps(event_to_dict(event), allow_nan=False), flush=True)


class PlainLines:
    """A line for each epoch, preview and notice: for log files and pipes."""

    def __init__(self, total_epochs: int | None) -> None:
        self._total_epochs = total_epochs
        self._stage = ""
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        sys.stdout.flush()

    def __call__(self, event: Event) -> None:
        """Print the event's line, where it has one."""
        line = self._line(event)
        if line:
            self._last_line = time.monotonic()
            print(line, flush=True)

    def _line(self, event: Event) -> str | None:
        match event:
            case EpochMetrics() | VQEpochMetrics():
                self._total_epochs = event.total_epochs
                left = f"{duration(event.eta_seconds + (event.closing_seconds or 0.0))} left"
                return f"{epoch_of(event.epoch, event.total_epochs)}  {epoch_figures(event)}  {left}"
            case StepMetrics() | VQStepMetrics() if time.monotonic() - self._last_line > QUIET_SECONDS:
                where = f"{epoch_of(event.epoch, self._total_epochs)}, step {event.step + 1} of {event.total_steps}"
                return f"{where}  {step_figures(event)}"
            case PreparationProgress() if event.stage != self._stage:
                self._stage = event.stage
                return f"{event.stage} ({event.total})" if event.total else event.stage
            case _:
                return message_of(event)


class ProgressBar:
    """A bar over all steps with loss, KL and time left; previews and notices are printed above it."""

    def __init__(self, total_epochs: int | None) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self._total_epochs = total_epochs
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}", markup=False),
            _live_column(self._time_left),
            expand=True,
            refresh_per_second=4,  # more would take time from the training
        )
        self._task: TaskID | None = None
        self._stage = ""
        self._held_out = ""
        self._left = TimeLeft()
        self._stage_left: float | None = None  # seconds of the work before the first step, or after the last epoch
        self._first_step_at: float | None = None  # monotonic
        self._step_seconds: deque[float] = deque(maxlen=GUESS_STEPS)
        self._last_words: str | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._progress.stop()
        if self._last_words:
            print(self._last_words, flush=True)

    def __call__(self, event: Event) -> None:
        """Move the bar, or print what is worth a line."""
        match event:
            case StepMetrics() | VQStepMetrics():
                self._show_step(event)
            case EpochMetrics() | VQEpochMetrics():
                self._total_epochs = event.total_epochs
                self._held_out = f"  held out {event.val_loss:.4f}"
                self._left.end_epoch(event)
            case PreparationProgress():
                self._stage_left = self._left.of_stage(event)
                self._move(event.stage, event.stage, event.done, event.total or None)
            case TrainingCompleteEvent():
                self._last_words = message_of(event)
            case _:
                self._progress.console.print(message_of(event), markup=False, highlight=False)

    def _show_step(self, event: AnyStep) -> None:
        done = event.epoch * event.total_steps + event.step + 1
        total = None if self._total_epochs is None else self._total_epochs * event.total_steps
        text = epoch_of(event.epoch, self._total_epochs)
        if self._total_epochs is not None:
            share = (event.step + 1) / event.total_steps
            self._left.move(event.epoch, self._total_epochs, share, self._epoch_seconds(event))
        self._move(_TRAINING, text, done, total, f"{step_figures(event)}{self._held_out}")

    def _epoch_seconds(self, event: AnyStep) -> float:
        """Return how long an epoch's steps take, where the first one is still under way; 0 if that is not known."""
        now = time.monotonic()
        self._first_step_at = self._first_step_at or now
        self._step_seconds.append(event.step_time_s)
        if not self._left.is_guess or now - self._first_step_at < GUESS_SECONDS:
            return 0.0
        return event.total_steps * median(self._step_seconds)

    def _time_left(self) -> str:
        """Return the time left, to the finished model or of other work, as the window shows it."""
        seconds = self._left.seconds() if self._stage == _TRAINING else self._stage_left
        if seconds is None:
            return ""
        about = "about " if self._stage == _TRAINING and self._left.is_guess else ""
        return f"{about}{duration(seconds)} left" if round(seconds) >= 1 else "a moment left"

    def _move(self, stage: str, text: str, done: int, total: int | None, figures: str = "") -> None:
        """Move the bar of a stage; a new stage gets a bar of its own, whose speed is then its own, too."""
        if stage != self._stage or self._task is None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._stage = stage
            self._task = self._progress.add_task(text, total=total, completed=done, figures=figures)
        self._progress.update(self._task, description=text, completed=done, total=total, figures=figures)


def _live_column(text: Callable[[], str]) -> "ProgressColumn":
    """Return a column of a bar whose text is asked for each time that the bar is drawn."""
    from rich.progress import ProgressColumn
    from rich.text import Text

    class LiveColumn(ProgressColumn):
        """Draws the text."""

        def render(self, _task: object) -> Text:
            """Return what the column shows now."""
            return Text(text(), style="progress.remaining")

    return LiveColumn()


def epoch_of(epoch: int, total_epochs: int | None) -> str:
    """Return the name of an epoch for people, who count from 1."""
    return f"epoch {epoch + 1}" if total_epochs is None else f"epoch {epoch + 1}/{total_epochs}"


def step_figures(event: AnyStep) -> str:
    """Return the losses of a step."""
    term = f"KL {event.kl_loss:5.3g}" if isinstance(event, StepMetrics) else f"commitment {event.commit_loss:5.3g}"
    return f"loss {event.train_loss:.4f}  {term}"


def epoch_figures(event: AnyEpoch) -> str:
    """Return what an epoch measured."""
    losses = f"loss {event.train_loss:.4f}, held out {event.val_loss:.4f}"
    if event.new_sound_distance is not None:
        losses += f"  new sounds {event.new_sound_distance:.0f}"
    if isinstance(event, VQEpochMetrics):
        return f"{losses}  commitment {event.val_commit_loss:.3g}"
    active = "" if event.active_latents is None else f" ({event.active_latents} latents active)"
    return f"{losses}  KL {event.kl_divergence:.3g}{active}"


def message_of(event: Event) -> str | None:
    """Return the line that an event is worth by itself, or None."""
    match event:
        case PreviewEvent() | StartPreviewEvent():
            return f"New sound: {printable(event.audio_path)}"
        case TrainingNotice():
            return f"{_LEVELS[event.level]}: {printable(event.message)}"
        case TrainingCompleteEvent() if event.outcome in ("finished", "stopped"):
            word = "Finished" if event.outcome == "finished" else "Stopped"
            best = ""
            if event.best_val_loss is not None and event.best_epoch is not None:
                best = f"; best held-out loss {event.best_val_loss:.4f} in epoch {event.best_epoch + 1}"
            return f"{word} after {duration(event.total_time_s)}{best}."
        case _:
            return None
