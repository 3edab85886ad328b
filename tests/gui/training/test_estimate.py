"""The line under the Start button."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from distill.config.training import AnyConfig
from distill.gui.background_tasks import BackgroundTask
from distill.gui.engine.run_state import RunState
from distill.gui.training import estimate_presenter
from distill.gui.training.estimate_presenter import EstimatePresenter
from distill.gui.window.main_window import MainWindow
from distill.runs.estimates.measured_costs import Figures, RunFigures, remember
from distill.training.estimate_inputs import material_of
from tests.gui.fakes import FakeEngine
from tests.gui.training.test_training import await_state, start

FIGURES = RunFigures(
    step_s=0.5, measure_s=0.01, preview_s=1.0, preview_bytes=1e5, peak_bytes=1.2e9, checkpoint_bytes=57e6,
    model_bytes=15e6, chunks=3, good_share=0.5,
)  # fmt: skip


def line(window: MainWindow) -> str:
    label = window.findChild(QLabel, "estimateLine")
    assert label is not None
    return label.text()


def test_it_follows_settings_and_goes_while_a_run_trains(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: line(loaded).startswith("How long it takes is known after the first run."))
    assert "Too few sounds (4)" in line(loaded)
    remember(loaded.runs.settings.next_config(4), FIGURES)
    loaded.controls.epochs.setValue(400)
    qtbot.waitUntil(lambda: line(loaded).startswith("About "))
    assert "1.2 GB memory" in line(loaded)
    assert " for 267 of 400 epochs, nearly as good in " in line(loaded), "it is of this run, however good that gets"
    before = line(loaded)
    assert "of at most 400" in loaded.controls.estimate.toolTip()
    loaded.controls.epochs.setValue(4000)
    qtbot.waitUntil(lambda: line(loaded).startswith("About ") and line(loaded) != before)
    engine.step_seconds = 0.02
    start(loaded, 300)
    await_state(qtbot, loaded, RunState.TRAINING)
    assert line(loaded) == ""
    loaded.runs.pause()
    await_state(qtbot, loaded, RunState.IDLE)
    qtbot.waitUntil(lambda: line(loaded).startswith("New run · About "))  # and not what Resume takes


def test_the_lines_stay_apart_in_the_smallest_window(loaded: MainWindow, qtbot: QtBot) -> None:
    loaded.resize(1024, 640)
    label = loaded.controls.estimate
    remember(loaded.runs.settings.next_config(4), FIGURES)
    loaded.controls.epochs.setValue(4000)
    qtbot.waitUntil(lambda: line(loaded).startswith("About "))
    qtbot.waitUntil(lambda: loaded.width() <= 1024)
    costs, enough = label.shown_text().splitlines()
    assert costs.startswith("About ")
    assert "nearly as good in" in costs
    assert enough.startswith("Too few sounds (4): it can only repeat them.")
    widths = [label.fontMetrics().horizontalAdvance(text) for text in (costs, enough)]
    assert max(widths) <= label.width()
    assert line(loaded).splitlines()[0] in label.toolTip()


def test_a_run_that_improves_to_its_end_is_not_said_to_be_nearly_as_good_before(
    loaded: MainWindow, qtbot: QtBot
) -> None:
    remember(loaded.runs.settings.next_config(4), replace(FIGURES, good_share=1.0))
    loaded.controls.epochs.setValue(4000)
    qtbot.waitUntil(lambda: " for 4000 epochs · " in line(loaded))
    assert "nearly as good" not in line(loaded)
    assert "The end is expected at epoch 4000 of at most 4000. From" in loaded.controls.estimate.toolTip()


def test_the_speed_is_measured_once_and_not_beside_a_run(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    began, cancelled, may_end = threading.Event(), threading.Event(), threading.Event()
    calls: list[str] = []

    def measure(config: AnyConfig, cancel: threading.Event) -> RunFigures | None:
        calls.append(config.family)
        began.set()
        while not may_end.wait(0.01):
            if cancel.is_set():
                cancelled.set()
                return None
        return FIGURES

    runs = loaded.runs
    made = EstimatePresenter(loaded.controls, runs.settings, loaded.sounds, runs.bridge, measure, loaded)
    loaded.controls.choose("complex_vae", "", 0)
    qtbot.waitUntil(began.is_set)
    engine.step_seconds = 0.02
    start(loaded, 300)
    await_state(qtbot, loaded, RunState.TRAINING)
    qtbot.waitUntil(cancelled.is_set)
    runs.pause()
    await_state(qtbot, loaded, RunState.IDLE)
    assert not Figures.load().of_family("complex_vae")
    may_end.set()
    loaded.controls.choose("vae", "", 0)
    qtbot.waitUntil(lambda: bool(Figures.load().of_family("vae")))
    qtbot.waitUntil(lambda: line(loaded).startswith("New run · About "))
    assert calls == ["complex_vae", "vae"]
    assert made.parent() is loaded


def test_an_estimate_for_sounds_that_are_excluded_meanwhile_is_not_shown(
    loaded: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was shown when it was ready, under a list without a sound to train on."""
    qtbot.waitUntil(lambda: bool(line(loaded)))
    began, goes_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(*args: Any) -> object:
        began.set()
        goes_on.wait(30)
        try:
            return material_of(*args[:2])
        finally:
            ended.set()

    monkeypatch.setattr(estimate_presenter, "material_of", slow)
    paths = list(loaded.browser.usable_paths())
    loaded.sounds.exclusions.choose(paths[:1], excluded=True)
    qtbot.waitUntil(began.is_set)
    loaded.sounds.exclusions.choose(paths, excluded=True)
    qtbot.waitUntil(lambda: line(loaded) == "")
    goes_on.set()
    qtbot.waitUntil(ended.is_set)
    qtbot.waitUntil(lambda: not [task for task in loaded.findChildren(BackgroundTask) if task.isRunning()])
    QApplication.processEvents()
    assert line(loaded) == ""
