"""Passes the events of a run on: to the callback, to the log, and to what is written to its folder."""

import logging
import time

from distill.events import (
    EpochMetrics,
    Event,
    MetricsCallback,
    PreparationProgress,
    StepMetrics,
    TrainingNotice,
    VQEpochMetrics,
    VQStepMetrics,
)

log = logging.getLogger("distill.training")

#: Minimum seconds between two events of the progress of the preparation.
_PROGRESS_EVENT_INTERVAL_S = 0.1
_LOG_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class EventSink:
    """Passes events to the callback, logs notices, and collects what is written to the run's folder."""

    def __init__(self, callback: MetricsCallback | None) -> None:
        self._callback = callback
        self.unwritten: list[StepMetrics | EpochMetrics | VQStepMetrics | VQEpochMetrics] = []
        self.notes: list[str] = []
        self._progress_emitted_at = 0.0

    def __call__(self, event: Event) -> None:
        """Emit an event."""
        if isinstance(event, TrainingNotice):
            self.notes.append(event.message)
            log.log(_LOG_LEVELS[event.level], event.message)
        elif isinstance(event, (StepMetrics, EpochMetrics, VQStepMetrics, VQEpochMetrics)):
            self.unwritten.append(event)
        if self._callback is not None:
            self._callback(event)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Emit the progress of the preparation, at most ten times a second."""
        now = time.perf_counter()
        if done == total or now - self._progress_emitted_at >= _PROGRESS_EVENT_INTERVAL_S:
            self._progress_emitted_at = now
            self(PreparationProgress(stage, done, total))
