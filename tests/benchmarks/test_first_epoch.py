"""How long it takes from the call of `train` to the first epoch, on six sounds of a second, after the imports.

Once with an empty home (sounds are decoded, features computed, and the compute plan is chosen by a trial), and once
with all of that at hand.
"""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from distill.audio.export import write_wav
from distill.config.family_catalog import FAMILIES, family_info
from distill.events import EpochMetrics, Event, PreparationProgress, VQEpochMetrics
from distill.training import train
from tests.benchmarks.conftest import Report
from tests.training.conftest import tone

pytestmark = pytest.mark.benchmark


class Clock:
    """Notes wall time and processor time at the first event of each kind."""

    def __init__(self) -> None:
        self.start = time.perf_counter(), time.process_time()
        self.at: dict[str, tuple[float, float]] = {}

    def __call__(self, event: Event) -> None:
        name = event.stage if isinstance(event, PreparationProgress) else type(event).__name__
        if isinstance(event, (EpochMetrics, VQEpochMetrics)):
            name = "first epoch"
        now = time.perf_counter() - self.start[0], time.process_time() - self.start[1]
        self.at.setdefault(name, now)


@pytest.mark.parametrize("family", [row.key for row in FAMILIES])
def test_time_to_the_first_epoch(family: str, tmp_path: Path, report: Report) -> None:
    (tmp_path / "sounds").mkdir()
    sounds = [tmp_path / "sounds" / f"{number}.wav" for number in range(6)]
    for number, path in enumerate(sounds):
        write_wav(path, tone(number, 1.0))
    config = replace(family_info(family).adaptive_config(6), max_epochs=1)
    processor: dict[str, float] = {}
    for home in ("empty", "full"):  # `DISTILL_HOME` is the test's own
        clock = Clock()
        train(config, sounds, tmp_path / f"run in {home} home", "cpu", clock)
        wall, computed = clock.at["first epoch"]
        processor[home] = computed
        report(f"{family}, {home} home: first epoch after {wall:.2f} s, processor {computed:.2f} s")
        for name, (seconds, used) in sorted(clock.at.items(), key=lambda item: item[1]):
            report(f"    {seconds:6.2f} s, processor {used:6.2f} s: {name}")
    assert processor["full"] < processor["empty"]  # what is at hand is not computed again
