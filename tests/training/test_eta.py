"""How long an epoch takes, and what a resumed run says is left."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.events import Event
from distill.training import EpochMetrics, StepMetrics, resume_run, train
from distill.training.steps.eta import EtaEstimator
from distill.training.steps.training_step import TrainingStep
from tests.training.conftest import QUICK, write_sounds


class Clock:
    """Time that passes when the test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def take(pace: EtaEstimator, clock: Clock, *seconds: float) -> None:
    for each in seconds:
        clock.now += each
        pace.add_step(each)


def test_the_first_epoch_goes_by_its_steady_steps() -> None:
    clock = Clock()
    pace = EtaEstimator(clock)
    take(pace, clock, 9.0, 1.0, 1.0, 1.0, 1.0)
    clock.now += 2.0  # measuring
    assert pace.end_epoch(5) == 7.0


def test_a_rest_of_an_epoch_counts_as_a_whole_one() -> None:
    clock = Clock()
    pace = EtaEstimator(clock)
    take(pace, clock, 1.0, 1.0)
    clock.now += 3.0
    assert pace.end_epoch(50) == 53.0


def test_later_epochs_count_with_all_that_lies_between_them() -> None:
    clock = Clock()
    pace = EtaEstimator(clock)
    pace.end_epoch(3)
    clock.now += 4.0
    assert pace.end_epoch(3) == 4.0
    clock.now += 8.0
    assert pace.end_epoch(3) == 6.0


def test_where_only_measuring_is_left_of_an_epoch_its_steps_count() -> None:
    clock = Clock()
    pace = EtaEstimator(clock)
    pace.earlier_steps = [2.0, 2.0, 2.0]
    clock.now += 1.0
    assert pace.end_epoch(3) == 7.0


#: Seconds of a step of `BeforeTheLastStep`: so many that real seconds beside them do not count.
STEP_SECONDS = 1e6


class BeforeTheLastStep(threading.Event):
    """Pauses before the last step of the second epoch; on its clock, steps take time and nothing else does."""

    steps = taken = 0
    begun = time.perf_counter()

    def clock(self) -> float:
        return self.begun + STEP_SECONDS * self.taken

    def emit(self, event: Event) -> None:
        if isinstance(event, StepMetrics):
            self.steps = event.total_steps

    def counting(self, take: Any) -> Any:
        """Return a training step that is counted; steps are reported later than they are taken."""

        def step(*arguments: Any) -> Any:
            taken = take(*arguments)
            self.taken += 1
            if self.taken == 2 * self.steps - 1:
                self.set()
            return taken

        return step


def test_a_run_that_is_resumed_near_the_end_of_an_epoch_does_not_promise_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds = write_sounds(tmp_path / "sounds", 4)
    config = replace(QUICK, max_epochs=5, batch_size=1, checkpoint_interval=100, precision="float32", num_threads=1)
    at = BeforeTheLastStep()
    monkeypatch.setattr(TrainingStep, "__call__", at.counting(TrainingStep.__call__))
    monkeypatch.setattr(time, "perf_counter", at.clock)
    monkeypatch.setattr(EtaEstimator.__init__, "__defaults__", (at.clock,))
    paused = train(config, sounds, tmp_path / "run", "cpu", at.emit, at)
    assert paused["outcome"] == "stopped"
    assert paused["metrics_history"].step_count == 2 * at.steps - 1
    told: list[EpochMetrics] = []

    def emit(event: Event) -> None:
        if isinstance(event, EpochMetrics):
            told.append(event)

    assert resume_run(tmp_path / "run", emit)["outcome"] == "finished"
    epoch = at.steps * STEP_SECONDS  # the one step of the session is not taken for an epoch
    assert [event.eta_seconds for event in told] == pytest.approx([left * epoch for left in (3, 2, 1, 0)], rel=0.01)
