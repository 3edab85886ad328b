"""How long a run goes on after it was cancelled, at random moments from its start to its last file.

A whole run is timed first; then as many runs as `MOMENTS` are each cancelled at a random moment of that time, half of
them with what was computed from the sounds at hand, half without.  The wait ends when `TrainingRunner.wait` returns:
checkpoint, model file and record are written by then.  The processor's time is told beside it: on a machine that other
programs use, the wait is as much longer as they take of it.  ``DISTILL_BENCH_SOUNDS`` names the sounds, as ever.
"""

import os
import random
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from distill.config.family_catalog import FAMILIES, family_info
from distill.training import (
    PreparationProgress,
    TrainingCompleteEvent,
    TrainingNotice,
    TrainingRunner,
    list_checkpoints,
    resume_run,
)
from tests.benchmarks.conftest import Report

pytestmark = pytest.mark.benchmark

#: Runs that are cancelled.
MOMENTS = int(os.environ.get("DISTILL_BENCH_MOMENTS", "30"))
#: Files that a run is given, and epochs.
FILES, EPOCHS = 6, 2


class Course:
    """Notes what a run told last, and when it began to prepare."""

    def __init__(self) -> None:
        self.last, self.outcome = "start", ""

    def __call__(self, event: object) -> None:
        if isinstance(event, PreparationProgress):
            self.last = event.stage
        elif isinstance(event, TrainingCompleteEvent):
            self.outcome = event.outcome
        elif not isinstance(event, TrainingNotice):
            self.last = type(event).__name__


def timed_run(
    family: str, sounds: Sequence[Path], folder: Path, after: float | None
) -> tuple[float, float, float, Course]:
    """Run to the end, or cancel after some seconds.

    Returns
    -------
    tuple
        Seconds in all, seconds after the cancel, seconds of the processor after the cancel, and the course.
    """
    config = replace(family_info(family).adaptive_config(len(sounds)), max_epochs=EPOCHS, checkpoint_interval=1)
    runner, course = TrainingRunner(), Course()
    start = time.perf_counter()
    runner.start(config, sounds, folder, "cpu", course)
    if after is not None:
        threading.Event().wait(after)
    asked, computed = time.perf_counter(), time.process_time()
    if after is not None:
        runner.cancel()
    assert runner.wait(3600)
    assert runner.last_error() is None
    now = time.perf_counter()
    return now - start, now - asked, time.process_time() - computed, course


@pytest.mark.parametrize("family", [row.key for row in FAMILIES])
def test_a_cancel_at_a_random_moment(
    family: str, bench_sounds: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    draw = random.Random(family)
    sounds = sorted(draw.sample(bench_sounds, min(FILES, len(bench_sounds))))
    homes = [tmp_path / "home of the first", tmp_path / "home"]
    lasting: list[float] = []
    for home in homes:  # cold, with the choice of the compute plan; the second home stays warm
        monkeypatch.setenv("DISTILL_HOME", str(home))
        lasting.append(timed_run(family, sounds, tmp_path / f"whole {len(lasting)}", None)[0])
    waits: list[tuple[float, float, str]] = []
    resumed = 0
    for number in range(MOMENTS):
        is_warm = number % 2 == 1
        monkeypatch.setenv("DISTILL_HOME", str(homes[1] if is_warm else tmp_path / f"cold {number}"))
        folder = tmp_path / f"run {number}"
        _, wait, computing, course = timed_run(family, sounds, folder, draw.uniform(0, 1.05 * lasting[0]))
        if course.outcome == "stopped":
            waits.append((wait, computing, course.last))
            has_checkpoint = bool(list_checkpoints(folder / "checkpoints"))
            if number % 5 == 0:  # each would take as long as all of this
                assert resume_run(folder)["outcome"] == "finished"
                resumed += has_checkpoint
    seconds = sorted(wait for wait, _, _ in waits)
    computed = sorted(computing for _, computing, _ in waits)
    within = sum(wait <= 0.5 for wait in seconds) / len(seconds)
    report(
        f"{family}: a run takes {lasting[0]:.1f} s; {len(seconds)} cancelled runs ended after "
        f"{statistics.median(seconds):.2f} s (median), {seconds[-1]:.2f} s (longest); {within:.0%} within 0.5 s; "
        f"processor {statistics.median(computed):.2f} s (median), {computed[-1]:.2f} s (longest); "
        f"resumed from a checkpoint: {resumed}"
    )
    for wait, computing, last in sorted(waits, reverse=True)[:5]:
        report(f"  {wait:.2f} s (processor {computing:.2f} s) after {last}")
