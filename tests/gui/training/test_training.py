"""Starting, stopping and continuing runs through the real widgets, with an engine that replays events."""

import threading
from pathlib import Path

import pyqtgraph as pg
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QMessageBox, QProgressBar, QPushButton, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from distill.config.family_catalog import FAMILIES
from distill.errors import TrainingError
from distill.gui.engine.bridge import TrainingBridge, history_before
from distill.gui.engine.run_state import RunState
from distill.gui.widgets import theme
from distill.gui.window.main_window import MainWindow
from distill.metrics_history import MetricsHistory
from distill.names import MOST_NAME
from distill.runs.run_record import RunRecord
from distill.settings import WindowSettings
from tests.gui.conftest import close, make_window
from tests.gui.fakes import STEPS, FakeDevice, FakeEngine, epoch_end, step

LEFT = Qt.MouseButton.LeftButton


def button(window: MainWindow, name: str) -> QPushButton:
    found = window.findChild(QPushButton, name)
    assert found is not None
    return found


def click(window: MainWindow, name: str) -> None:
    QTest.mouseClick(button(window, name), LEFT)


def start(window: MainWindow, epochs: int) -> None:
    spin = window.findChild(QSpinBox, "epochsSpin")
    assert spin is not None
    spin.setValue(epochs)
    click(window, "startButton")


def await_state(qtbot: QtBot, window: MainWindow, state: RunState) -> None:
    qtbot.waitUntil(lambda: window.runs.bridge.state is state, timeout=60_000)


def eta(window: MainWindow) -> str:
    label = window.findChild(QLabel, "etaLabel")
    assert label is not None
    return label.text()


def record_readers(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Return the threads that read the record of a run from now on."""
    readers: list[threading.Thread] = []
    load = RunRecord.load

    def note(run_dir: Path | str) -> RunRecord:
        readers.append(threading.current_thread())
        return load(run_dir)

    monkeypatch.setattr(RunRecord, "load", note)
    return readers


def test_the_controls_offer_what_catalog_and_configuration_know(window: MainWindow) -> None:
    family, preset = window.findChild(QComboBox, "familyCombo"), window.findChild(QComboBox, "presetCombo")
    assert family is not None
    assert preset is not None
    assert [family.itemData(n) for n in range(family.count())] == [row.key for row in FAMILIES]
    keys = [preset.itemData(n) for n in range(preset.count())]
    assert keys == ["auto", "conservative", "balanced", "aggressive"]
    assert window.controls.epochs.value() == 200
    assert window.controls.epochs.maximum() == 100_000


def test_nothing_can_be_started_without_sounds(window: MainWindow) -> None:
    assert eta(window) == "Choose some sounds to begin with."
    assert window.controls.name.placeholderText() == "Name"
    assert window.controls.run_name == ""
    assert [button(window, n).isEnabled() for n in ("startButton", "cancelButton", "resumeButton")] == [False] * 3


def test_a_name_is_not_longer_than_rows_and_menus_show(window: MainWindow) -> None:
    window.controls.propose_name("x" * 250)
    assert window.controls.run_name == "x" * MOST_NAME
    window.controls.name.setText("y" * 250)
    assert window.controls.run_name == "y" * MOST_NAME


def test_a_run_from_start_to_finish(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.step_seconds = 0.02  # long enough to be seen training
    start(loaded, 3)
    await_state(qtbot, loaded, RunState.TRAINING)
    assert not button(loaded, "startButton").isEnabled()
    assert button(loaded, "cancelButton").isEnabled()
    await_state(qtbot, loaded, RunState.IDLE)
    assert engine.names == ("my sounds", "my sounds")
    bar = loaded.findChild(QProgressBar, "progressBar")
    assert bar is not None
    assert bar.value() == bar.maximum()
    assert "Finished" in eta(loaded)
    assert "30 %" in loaded.notices.text()
    assert "Computing" not in " ".join(notice.message for notice in loaded.notices.notices)
    assert "Computing in float32." in loaded.controls.eta.toolTip()
    history = loaded.runs.bridge.history
    assert history.step_count == 3 * STEPS
    assert len(history.epochs) == 3
    assert button(loaded, "startButton").isEnabled()
    assert not button(loaded, "resumeButton").isEnabled()
    loaded.controls.epochs.setValue(5)  # a finished run can be made longer
    assert button(loaded, "resumeButton").isEnabled()
    click(loaded, "resumeButton")
    qtbot.waitUntil(lambda: engine.calls == ["train", "resume to 5"])
    await_state(qtbot, loaded, RunState.IDLE)


def test_the_curves_show_what_was_measured(loaded: MainWindow, qtbot: QtBot) -> None:
    loaded.plots.toolbar.details.setChecked(True)
    start(loaded, 3)
    await_state(qtbot, loaded, RunState.IDLE)
    plot = loaded.findChild(pg.PlotWidget, "klPlot")
    assert plot is not None

    def drawn() -> list[float]:
        items = [item for item in plot.getPlotItem().listDataItems() if item.yData is not None]  # None before the first
        return [float(y) for item in items for y in item.yData]

    qtbot.waitUntil(lambda: drawn() == [3.0, 2.0, 1.0])
    loss = loaded.findChild(pg.PlotWidget, "lossPlot")
    assert loss is not None

    def counts() -> list[int]:
        return sorted(0 if item.xData is None else len(item.xData) for item in loss.getPlotItem().listDataItems())

    qtbot.waitUntil(lambda: counts() == [3, 3, 3, 3 * STEPS])
    assert [i.angle for i in plot.getPlotItem().items if isinstance(i, pg.InfiniteLine)] == [0]
    assert [i.value() for i in plot.getPlotItem().items if isinstance(i, pg.InfiniteLine)] == [0.5]
    assert "codebook" in loaded.plots.plots
    codebook = loaded.findChild(pg.PlotWidget, "codebookPlot")
    assert codebook is not None
    assert not codebook.isVisible()


def test_start_stays_off_until_the_thread_has_ended(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.step_seconds, engine.cancel_seconds = 0.02, 0.4
    start(loaded, 1000)
    await_state(qtbot, loaded, RunState.TRAINING)
    click(loaded, "cancelButton")
    assert loaded.runs.bridge.state is RunState.STOPPING
    assert "Pausing" in eta(loaded)
    qtbot.wait(200)
    assert not button(loaded, "startButton").isEnabled()
    assert not button(loaded, "cancelButton").isEnabled()
    assert not button(loaded, "resumeButton").isEnabled()
    await_state(qtbot, loaded, RunState.IDLE)
    assert button(loaded, "startButton").isEnabled()
    assert button(loaded, "resumeButton").isEnabled()
    assert "Paused" in eta(loaded)


def test_the_window_does_not_wait_for_the_record_of_a_run(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run's folder may lie on a slow disk: what is read there at the end is not read by the window's thread."""
    readers = record_readers(monkeypatch)
    start(loaded, 2)
    qtbot.waitUntil(lambda: "Finished" in eta(loaded))
    assert readers
    assert threading.main_thread() not in readers
    loaded.controls.epochs.setValue(3)
    assert button(loaded, "resumeButton").isEnabled(), "the run can be made longer"


def test_what_comes_next_stands_out(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    begin, resume = button(loaded, "startButton"), button(loaded, "resumeButton")
    assert (begin.text(), begin.property("primary"), resume.property("primary")) == ("&Start", True, False)
    engine.step_seconds = 0.2
    start(loaded, 30)
    qtbot.waitUntil(lambda: eta(loaded) == "Epoch 1 of 30 · previews come at its end")
    engine.step_seconds = 0.001
    qtbot.waitUntil(lambda: "left" in eta(loaded), timeout=60_000)
    click(loaded, "cancelButton")
    await_state(qtbot, loaded, RunState.IDLE)
    assert (begin.text(), begin.property("primary"), resume.property("primary")) == ("&Start new", False, True)
    colors = [widget.grab().toImage().pixelColor(6, 8) for widget in (begin, resume)]
    assert colors == [QColor(theme.colors().surface), QColor(theme.colors().accent)]


def test_the_window_answers_while_the_engine_is_prepared(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.go_on.clear()
    start(loaded, 1)
    qtbot.waitUntil(lambda: eta(loaded) == "Reading sounds 1/3…")
    engine.go_on.set()
    await_state(qtbot, loaded, RunState.IDLE)


def test_a_failed_run_is_told_in_its_own_words(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.fail_with = TrainingError("The loss is not finite. Lower the learning rate.")
    start(loaded, 2)
    qtbot.waitUntil(lambda: "Lower the learning rate" in loaded.notices.text())
    assert button(loaded, "startButton").isEnabled()


def test_an_unexpected_error_is_told_too(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.train = None  # type: ignore[method-assign, assignment]
    start(loaded, 2)
    qtbot.waitUntil(lambda: "unexpected error" in loaded.notices.text())
    assert button(loaded, "startButton").isEnabled()
    assert not button(loaded, "resumeButton").isEnabled()


def test_the_shown_run_comes_back_at_the_next_start_and_goes_on(
    loaded: MainWindow, engine: FakeEngine, device: FakeDevice, qtbot: QtBot
) -> None:
    engine.step_seconds = 0.01
    start(loaded, 30)
    qtbot.waitUntil(lambda: len(loaded.runs.bridge.history.epochs) >= 2, timeout=60_000)
    click(loaded, "cancelButton")
    await_state(qtbot, loaded, RunState.IDLE)
    measured = loaded.runs.bridge.history
    close(qtbot, loaded)
    engine.step_seconds = 0.001
    again = make_window(qtbot, engine, device)
    qtbot.waitUntil(button(again, "resumeButton").isEnabled)
    assert again.controls.epochs.value() == 30
    assert again.previews.grid.rowCount() == len(measured.epochs)
    qtbot.waitUntil(lambda: len(again.browser.usable_paths()) == 4)
    click(again, "resumeButton")
    await_state(qtbot, again, RunState.TRAINING)
    await_state(qtbot, again, RunState.IDLE)
    assert engine.calls == ["train", "resume to None"]
    assert [e.epoch for e in again.runs.bridge.history.epochs] == list(range(30))
    column = again.runs.bridge.history.step_column
    assert list(zip(column("epoch"), column("step"), strict=True)) == [(e, s) for e in range(30) for s in range(STEPS)]
    close(qtbot, again)


def test_a_run_of_the_terminal_can_be_opened(
    window: MainWindow, engine: FakeEngine, sounds: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    from distill.config.factory import make_config

    folder, cancel = tmp_path / "run", threading.Event()
    config = make_config("vae", 4, "auto", 6)
    thread = threading.Thread(
        target=engine.train, args=(config, list(sounds.glob("tone*")), folder, "cpu", lambda _e: None, cancel)
    )
    engine.step_seconds = 0.0
    thread.start()
    thread.join()
    window.runs.runs.open(folder)
    qtbot.waitUntil(lambda: window.previews.grid.rowCount() == 6)
    assert "6 of 6" in eta(window)
    assert RunRecord.load(folder).status == "finished"
    assert not button(window, "resumeButton").isEnabled()


def test_a_folder_that_is_no_run_is_told(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    window.runs.runs.open(tmp_path)
    qtbot.waitUntil(lambda: "not the folder of a run" in window.notices.text())


def test_a_last_run_that_is_gone_is_no_error(qapp: QApplication, qtbot: QtBot, tmp_path: Path) -> None:
    WindowSettings(run=str(tmp_path / "gone"), sounds=[str(tmp_path / "gone too")]).save()
    made = make_window(qtbot, FakeEngine(), FakeDevice())
    qtbot.wait(200)
    assert made.notices.notices == ()
    assert not button(made, "resumeButton").isEnabled()
    close(qtbot, made)


@pytest.mark.parametrize("answer", ["keep", "stop"])
def test_closing_while_training_asks(loaded: MainWindow, qtbot: QtBot, answer: str, engine: FakeEngine) -> None:
    engine.step_seconds = 0.02
    start(loaded, 1000)
    await_state(qtbot, loaded, RunState.TRAINING)
    loaded.close()
    question = loaded.findChild(QMessageBox, "quitDialog")
    assert question is not None
    assert loaded.isVisible()
    QTest.keyClick(question, Qt.Key.Key_Escape if answer == "keep" else Qt.Key.Key_Return)
    if answer == "keep":
        qtbot.wait(100)
        assert loaded.isVisible()
        assert loaded.runs.bridge.state is RunState.TRAINING
    else:
        qtbot.waitUntil(lambda: not loaded.isVisible(), timeout=60_000)
        assert not loaded.runs.bridge.is_running


def test_the_end_of_a_session_does_not_ask(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.step_seconds = 0.02
    start(loaded, 1000)
    await_state(qtbot, loaded, RunState.TRAINING)
    loaded.end_session()
    assert not loaded.runs.bridge.is_running
    event = QCloseEvent()
    QApplication.sendEvent(loaded, event)
    assert event.isAccepted()
    assert loaded.findChild(QMessageBox, "quitDialog") is None


def test_after_the_cancelled_end_of_a_session_it_asks_again(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    """Another program can cancel it, and Qt does not say so: the user works on."""
    engine.step_seconds = 0.02
    start(loaded, 1000)
    qtbot.waitUntil(lambda: bool(loaded.runs.bridge.history.epochs))
    loaded.end_session()
    click(loaded, "resumeButton")
    await_state(qtbot, loaded, RunState.TRAINING)
    loaded.close()
    question = loaded.findChild(QMessageBox, "quitDialog")
    assert question is not None
    QTest.keyClick(question, Qt.Key.Key_Escape)
    assert loaded.isVisible()


def test_two_runs_at_once_are_refused(qapp: QApplication, loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.step_seconds = 0.02
    start(loaded, 1000)
    bridge: TrainingBridge = loaded.runs.bridge
    assert bridge.job is not None
    with pytest.raises(RuntimeError, match="under way"):
        bridge.start(bridge.job)


def test_what_a_killed_run_measured_beyond_its_checkpoint_is_dropped() -> None:
    history = MetricsHistory()
    for epoch in range(3):
        for number in range(STEPS):
            history.add_step(step(epoch, number))
        history.add_epoch(epoch_end(epoch, 9))
    assert history_before(history, step(3, 0)) is history
    shorter = history_before(history, step(1, 2))
    assert list(shorter.step_column("epoch")) == [0] * STEPS + [1, 1]
    assert [e.epoch for e in shorter.epochs] == [0]


def test_every_control_has_a_name_for_a_screen_reader(loaded: MainWindow) -> None:
    nameless = [
        w for w in loaded.findChildren(QWidget)
        if w.isVisible() and w.focusProxy() is None and w.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not (w.accessibleName() or getattr(w, "text", lambda: "")()) and w.objectName() != "qt_spinbox_lineedit"
    ]  # fmt: skip
    assert [(w, w.parent()) for w in nameless] == []


def test_the_whole_way_by_keyboard(loaded: MainWindow, qtbot: QtBot, engine: FakeEngine, device: FakeDevice) -> None:
    loaded.activateWindow()
    qtbot.waitUntil(loaded.isActiveWindow)
    control = Qt.KeyboardModifier.ControlModifier
    loaded.controls.epochs.setFocus()
    loaded.controls.epochs.selectAll()
    QTest.keyClicks(loaded.controls.epochs, "500")
    engine.step_seconds = 0.01
    QTest.keyClick(loaded, Qt.Key.Key_R, control)
    qtbot.waitUntil(lambda: loaded.previews.grid.rowCount() > 0, timeout=60_000)
    QTest.keyClick(loaded, Qt.Key.Key_3, control)
    assert loaded.previews.view.hasFocus()
    QTest.keyClick(loaded.previews.view, Qt.Key.Key_Down)
    QTest.keyClick(loaded.previews.view, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: len(device.outputs) == 1)
    QTest.keyClick(loaded, Qt.Key.Key_Period, control)
    await_state(qtbot, loaded, RunState.IDLE)
    QTest.keyClick(loaded, Qt.Key.Key_R, control | Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: len(engine.calls) == 2)


def test_light_and_dark_reach_every_widget(loaded: MainWindow, qtbot: QtBot) -> None:
    from distill.gui.widgets import theme

    app = QApplication.instance()
    assert isinstance(app, QApplication)
    theme.install(app, theme.Appearance.DARK)
    try:
        assert loaded.grab().toImage().pixelColor(3, loaded.height() // 2).name() == theme.DARK.window
        plot = loaded.plots.loss.widget
        assert plot.backgroundBrush().color().name() == theme.DARK.surface
    finally:
        theme.install(app, theme.Appearance.SYSTEM)
    assert loaded.grab().toImage().pixelColor(3, loaded.height() // 2).name() == theme.LIGHT.window


def test_a_plot_is_moved_by_keys_and_shows_all_again(loaded: MainWindow, qtbot: QtBot) -> None:
    loaded.plots.toolbar.details.setChecked(True)
    start(loaded, 3)
    await_state(qtbot, loaded, RunState.IDLE)
    plot = loaded.plots.loss.widget
    box = plot.getPlotItem().getViewBox()
    qtbot.waitUntil(lambda: box.viewRange()[0][1] > 2.9 and box.viewRange()[1][0] < 0.1)  # both axes show all
    qtbot.wait(300)  # and the last redraw is over
    whole = box.viewRange()
    QTest.keyClick(plot, Qt.Key.Key_Right)
    assert box.viewRange()[0][0] > whole[0][0]
    QTest.keyClick(plot, Qt.Key.Key_Plus)
    assert box.viewRange()[1][1] < whole[1][1]
    QTest.keyClick(plot, Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: box.viewRange() == whole)
