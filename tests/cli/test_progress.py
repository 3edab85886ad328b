"""What the progress bar of the terminal says of the time left: as the window, to the finished model."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from distill.cli.output import run_display
from distill.events import EpochMetrics, PreparationProgress, StepMetrics
from distill.training.steps import eta

STEPS = 4


class Bar:
    """A progress bar on a screen in memory, with time that passes when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
        self.now = 1000.0
        clock = SimpleNamespace(monotonic=lambda: self.now)
        screen = io.StringIO()
        monkeypatch.setattr(eta, "time", clock)
        monkeypatch.setattr(run_display, "time", clock)
        monkeypatch.setattr("rich.progress.get_console", lambda: Console(file=screen, width=200))
        self.shown = run_display.ProgressBar(epochs)
        self._console = Console(file=io.StringIO(), width=200, color_system=None)

    def text(self) -> str:
        """Return the bar as it is drawn now."""
        with self._console.capture() as drawn:
            self._console.print(self.shown._progress.get_renderable())
        return drawn.get().strip()

    def step(self, epoch: int, number: int, seconds: float = 1.0) -> None:
        self.now += seconds
        self.shown(StepMetrics(epoch, number, STEPS, 0.5, 0.4, 0.1, 1.0, 1e-3, seconds))


def ended(epoch: int, total: int, left: float, closing: float) -> EpochMetrics:
    return EpochMetrics(epoch, total, 0.2, 0.2, 0.1, 0.1, 4.0, 0.0, 1e-3, left, 9.0, closing_seconds=closing)


def test_the_time_left_is_that_to_the_finished_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was that of the steps: it reached zero, and then the prior was trained for a minute."""
    bar = Bar(monkeypatch, 2)
    for number in range(STEPS):
        bar.step(0, number)
    bar.shown(ended(0, 2, 5.0, 60.0))
    assert bar.text().endswith("1 min 05 s left")
    for number in range(STEPS):
        bar.step(1, number)
    assert bar.text().endswith("1 min 01 s left")
    bar.shown(ended(1, 2, 0.0, 60.0))
    bar.now += 20.0
    assert bar.text().endswith("40 s left")
    bar.now += 60.0
    assert bar.text().endswith("a moment left")


def test_a_slow_epoch_does_not_use_up_the_time_of_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = Bar(monkeypatch, 3)
    bar.step(0, STEPS - 1)
    bar.shown(ended(0, 3, 10.0, 30.0))
    bar.step(1, 1, seconds=100.0)
    assert bar.text().endswith("38 s left")


def test_a_long_first_epoch_is_estimated_from_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = Bar(monkeypatch, 2)
    bar.step(0, 0, seconds=100.0)
    assert "left" not in bar.text(), "the first step is slow"
    bar.step(0, 1, seconds=100.0)
    assert bar.text().endswith("about 10 min 00 s left")


def test_the_work_after_the_last_epoch_says_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = Bar(monkeypatch, 1)
    bar.step(0, STEPS - 1)
    bar.shown(ended(0, 1, 0.0, 60.0))
    for done, said in ((1, ""), (301, "20 s left"), (900, "a moment left")):
        bar.shown(PreparationProgress("Learning to make new sounds", done, 900))
        assert bar.text().endswith(said)
        assert ("left" in bar.text()) == bool(said)
        bar.now += 10.0
