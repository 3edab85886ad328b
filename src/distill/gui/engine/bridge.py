"""The only bridge between the window and the engine.

A `QThread` runs the loop, which blocks.  Its events go into a queue; a timer at display rate drains the queue into the
Qt-free history and emits signals.  The window works in batches at any step rate, and no event is lost.  After
`TrainingBridge.stop` the state is STOPPING until the thread has really ended: until then the old run still writes to
its folder, and no other can start.
"""

import time
from collections import deque
from contextlib import suppress
from typing import Any

from PySide6.QtCore import QObject, QThread, QTimer, Signal

from distill import diagnostics
from distill.config.training import AnyConfig
from distill.errors import DistillError
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
)
from distill.gui.background_tasks import lower_own_priority
from distill.gui.engine.engine_protocol import EngineSource
from distill.gui.engine.run_state import RunState
from distill.gui.engine.training_jobs import HistoryRead, Job, ResumeJob
from distill.metrics_history import AnyHistory, MetricsHistory
from distill.runs.preview_files import BEFORE_TRAINING
from distill.runs.run_record import RunRecord
from distill.training.stop_request import StopRequest

#: How often the queue is drained.
DRAIN_MILLISECONDS = 33

#: Longest time that one drain may take; what is left waits for the next one.
DRAIN_SECONDS = 0.008


class TrainingThread(QThread):
    """Runs one job and queues its events, the last of which is exactly one `TrainingCompleteEvent`."""

    def __init__(self, engine: EngineSource, job: Job, events: deque[Event | HistoryRead], parent: QObject) -> None:
        super().__init__(parent)
        self._engine, self._job, self._events = engine, job, events
        self._has_completed = False
        self.cancel_event = StopRequest()
        #: The model, if it could not be written.
        self.unsaved_model: Any = None
        #: The record that the run has left, or None: read here, because its disk may be slow.
        self.record: RunRecord | None = None

    def run(self) -> None:
        """Train; Qt calls this in the new thread.  Threads that the engine starts inherit the low priority."""
        lower_own_priority()
        began_at = time.monotonic()
        error = None
        try:
            result = self._job.run(self._engine, self._queue, self.cancel_event)
            self.unsaved_model = (result or {}).get("unsaved_model")
        except DistillError as exc:
            error = str(exc)
        except Exception as exc:  # boundary of a run: a bug, which goes to the crash presenter
            diagnostics.report(exc, "training")
            text = self.tr("The training ended with an unexpected error ({0}). The log file has the details.")
            error = text.format(repr(exc))
        if not self._has_completed:
            error = error or self.tr("The training ended without a result. The log file may have the details.")
            seconds = time.monotonic() - began_at
            self._queue(TrainingCompleteEvent(0, seconds, None, None, None, None, "failed", error))
        with suppress(DistillError):  # it failed before there was a record
            self.record = RunRecord.load(self._job.run_dir)

    def _queue(self, event: Event | HistoryRead) -> None:
        self._has_completed = self._has_completed or isinstance(event, TrainingCompleteEvent)
        self._events.append(event)


class TrainingBridge(QObject):
    """Starts and stops runs, and emits the events of the running one.

    `data_arrived` carries nothing: the plots read what they need from `history`.
    """

    state_changed = Signal(object)  # RunState
    history_replaced = Signal()
    data_arrived = Signal()
    preparation_progressed = Signal(object)  # PreparationProgress
    epoch_finished = Signal(object)  # EpochMetrics
    preview_made = Signal(object)  # PreviewEvent
    noticed = Signal(object)  # TrainingNotice
    run_ended = Signal(object)  # TrainingCompleteEvent, after the thread has ended

    def __init__(self, engine: EngineSource, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._events: deque[Event | HistoryRead] = deque()
        self._thread: TrainingThread | None = None
        self._ending: TrainingCompleteEvent | None = None
        self.state = RunState.IDLE
        self.job: Job | None = None
        self.config: AnyConfig | None = None
        self.history: AnyHistory = MetricsHistory()
        self.last_step: StepMetrics | VQStepMetrics | None = None
        #: Whether the run under way, or the last one, was asked to stop; it may have finished or failed all the same.
        self.was_stopped = False
        #: The model of the run that ended last, if it could not be written; in memory only.
        self.unsaved_model: Any = None
        #: The record of the run that ended last, None if it failed before it had one.
        self.record: RunRecord | None = None
        self._drain_timer = QTimer(self, interval=DRAIN_MILLISECONDS)
        self._drain_timer.timeout.connect(self._on_tick)

    @property
    def is_running(self) -> bool:
        """Whether a training thread exists."""
        return self._thread is not None

    @property
    def total_epochs(self) -> int:
        """Number of epochs of the newest run, 0 before the first."""
        extended_epochs = self.job.max_epochs if isinstance(self.job, ResumeJob) else None
        return extended_epochs or (self.config.max_epochs if self.config is not None else 0)

    def start(self, job: Job, is_to_finish: bool = False) -> None:
        """Start a run; one that is only to be finished ends where its checkpoint stands.

        Raises
        ------
        RuntimeError
            The thread of the last run has not ended yet.
        """
        if self._thread is not None:
            raise RuntimeError("A run is under way.")
        self.job, self._ending, self.last_step, self.unsaved_model = job, None, None, None
        self.was_stopped, self.record = False, None
        self._events.clear()
        self._thread = TrainingThread(self._engine, job, self._events, self)
        self._thread.finished.connect(self._on_thread_finished)
        if is_to_finish:
            self._thread.cancel_event.finish()
        self._set_state(RunState.PREPARING)
        self._drain_timer.start()
        self._thread.start()

    def stop(self) -> None:
        """Ask the run to end with a checkpoint; returns at once, `run_ended` follows."""
        if self._thread is not None:
            self.was_stopped = True
            self._thread.cancel_event.set()
            self._set_state(RunState.STOPPING)

    def finish(self) -> None:
        """Ask the run to end as finished, with the epochs that it has made; returns at once, `run_ended` follows."""
        if self._thread is not None:
            self._thread.cancel_event.finish()
            self._set_state(RunState.STOPPING)

    def stop_and_wait(self) -> None:
        """End the run and wait for it; for the end of a session, where the event loop may not run any more."""
        thread = self._thread
        if thread is not None:
            self.stop()
            thread.wait()
            self._end_run(thread)

    def _set_state(self, state: RunState) -> None:
        if state is not self.state:
            self.state = state
            self.state_changed.emit(state)

    def _on_tick(self) -> None:
        self._drain(time.monotonic() + DRAIN_SECONDS)

    def _drain(self, deadline: float | None) -> None:
        has_data = False
        while self._events:
            has_data = self._deliver(self._events.popleft()) or has_data
            if deadline is not None and time.monotonic() > deadline:
                break
        if has_data:
            self.data_arrived.emit()

    def _deliver(self, event: Event | HistoryRead) -> bool:
        """Put an event where it belongs; True when the history has grown."""
        if isinstance(event, (StepMetrics, VQStepMetrics, EpochMetrics, VQEpochMetrics)):
            self._extend(event)
            return True
        if isinstance(event, HistoryRead):
            self.config, self.history = event.config, event.history
            self.history_replaced.emit()
        elif isinstance(event, PreviewEvent):
            self.preview_made.emit(event)
        elif isinstance(event, StartPreviewEvent):
            self.preview_made.emit(PreviewEvent(BEFORE_TRAINING, event.audio_path, event.sample_rate))
        elif isinstance(event, PreparationProgress):
            self.preparation_progressed.emit(event)
        elif isinstance(event, TrainingNotice):
            self.noticed.emit(event)
        else:
            self._ending = event
        return False

    def _extend(self, event: StepMetrics | VQStepMetrics | EpochMetrics | VQEpochMetrics) -> None:
        if self.state is RunState.PREPARING:
            self._set_state(RunState.TRAINING)
            # A killed run has measured more than its checkpoint holds, and now measures that anew.
            self.history = history_before(self.history, event)
            self.history_replaced.emit()
        if isinstance(event, (StepMetrics, VQStepMetrics)):
            self.history.add_step(event)  # type: ignore[arg-type]  # the family decides both types
            self.last_step = event
        else:
            self.history.add_epoch(event)  # type: ignore[arg-type]
            self.epoch_finished.emit(event)

    def _on_thread_finished(self) -> None:
        thread = self._thread
        if thread is not None and self.sender() is thread:  # or `stop_and_wait` has been quicker than the queued signal
            self._end_run(thread)

    def _end_run(self, thread: TrainingThread) -> None:
        self._thread = None
        thread.wait()
        self.unsaved_model, self.record = thread.unsaved_model, thread.record
        thread.deleteLater()
        self._drain_timer.stop()
        self._drain(None)
        self._set_state(RunState.IDLE)
        self.run_ended.emit(self._ending)


def history_before(
    history: AnyHistory, event: StepMetrics | VQStepMetrics | EpochMetrics | VQEpochMetrics
) -> AnyHistory:
    """Return ``history`` without what came at ``event`` or after it: itself, where that is nothing."""
    position = _event_position(event)
    newest_positions = [(e.epoch, float("inf")) for e in history.epochs[-1:]]
    if history.step_count:
        newest_positions.append((history.step_column("epoch")[-1], history.step_column("step")[-1]))
    if all(known < position for known in newest_positions):
        return history
    shortened_history = type(history)()
    for item in history.events():
        if _event_position(item) >= position:
            continue
        if isinstance(item, (StepMetrics, VQStepMetrics)):
            shortened_history.add_step(item)  # type: ignore[arg-type]
        else:
            shortened_history.add_epoch(item)  # type: ignore[arg-type]
    return shortened_history


def _event_position(event: StepMetrics | VQStepMetrics | EpochMetrics | VQEpochMetrics) -> tuple[int, float]:
    """Return where in a run an event is: an epoch's measurements come after all its steps."""
    return event.epoch, event.step if isinstance(event, (StepMetrics, VQStepMetrics)) else float("inf")
