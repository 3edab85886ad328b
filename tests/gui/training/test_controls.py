"""The next step comes first, runs get names, another folder is a fresh start, and notices go with their reason."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from distill import paths
from distill.config.family_catalog import FAMILIES
from distill.errors import TrainingError
from distill.events import EpochMetrics, PreparationProgress, TrainingNotice
from distill.gui.engine.run_state import RunState
from distill.gui.training.family_menu import FAMILY_DETAIL_ROLE
from distill.gui.window.main_window import SMALLEST_SIZE, MainWindow
from distill.gui.window.top_bar import MODELS, TRAINING
from distill.runs.run_record import RunRecord
from tests.gui.fakes import FakeEngine, tone
from tests.gui.runs.test_runs import earlier_run
from tests.gui.training.test_training import await_state, button, click, eta, start
from tests.library.test_model_library import bells, write_model


@pytest.fixture
def other(tmp_path: Path) -> Path:
    folder = tmp_path / "other sounds"
    folder.mkdir()
    for number in range(3):
        soundfile.write(folder / f"other {number}.wav", tone(0.5, 200.0 + 90 * number), 48_000)
    return folder


def first_button(window: MainWindow) -> str:
    row = [button(window, n) for n in ("startButton", "cancelButton", "resumeButton")]
    return min((b for b in row if b.isVisible()), key=lambda b: b.x()).objectName()


def test_what_can_be_done_is_seen_and_the_next_step_comes_first(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: first_button(loaded) == "startButton")  # once the layout has been done
    engine.step_seconds = 0.02
    start(loaded, 300)
    await_state(qtbot, loaded, RunState.TRAINING)
    qtbot.waitUntil(lambda: first_button(loaded) == "cancelButton")  # once the layout has been done
    assert not button(loaded, "startButton").isVisible()
    assert button(loaded, "cancelButton").property("primary")
    qtbot.waitUntil(lambda: bool(loaded.runs.bridge.history.epochs))  # without an epoch there is nothing to finish
    click(loaded, "cancelButton")
    await_state(qtbot, loaded, RunState.IDLE)
    qtbot.waitUntil(lambda: first_button(loaded) == "resumeButton")  # once the layout has been done
    assert button(loaded, "startButton").isVisible()
    for name in ("startButton", "resumeButton", "finishButton"):
        assert button(loaded, name).isVisible()
        assert button(loaded, name).isEnabled()


def test_who_has_chosen_what_a_new_run_starts_from_is_offered_to_start_it(window: MainWindow, qtbot: QtBot) -> None:
    controls = window.controls
    controls.show_has_sounds(True)
    controls.show_can_resume(True)
    qtbot.waitUntil(lambda: first_button(window) == "resumeButton")
    controls.show_origin("Starts from epoch 3 of Bells")
    qtbot.waitUntil(lambda: first_button(window) == "startButton")
    assert button(window, "startButton").property("primary")
    assert not button(window, "resumeButton").property("primary")
    controls.show_state(RunState.PREPARING)
    controls.show_state(RunState.IDLE)  # that run was paused: it can be resumed now
    qtbot.waitUntil(lambda: first_button(window) == "resumeButton")
    controls.show_origin("Starts from epoch 3 of Bells")
    controls.show_origin("")
    qtbot.waitUntil(lambda: first_button(window) == "resumeButton")


def test_a_double_click_on_start_does_not_pause(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.step_seconds = 0.02
    start(loaded, 300)
    pause = button(loaded, "cancelButton")
    at = QPointF(pause.rect().center())
    event = QMouseEvent(
        QEvent.Type.MouseButtonDblClick, at, pause.mapToGlobal(at), Qt.MouseButton.LeftButton,
        Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(pause, event)
    QTest.mouseRelease(pause, Qt.MouseButton.LeftButton)
    await_state(qtbot, loaded, RunState.TRAINING)
    assert loaded.runs.bridge.is_running


def test_the_keyboard_stays_on_the_next_step(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    loaded.activateWindow()
    qtbot.waitUntil(loaded.isActiveWindow)
    loaded.controls.epochs.setValue(300)
    engine.step_seconds = 0.02
    button(loaded, "startButton").setFocus()
    QTest.keyClick(button(loaded, "startButton"), Qt.Key.Key_Return)
    await_state(qtbot, loaded, RunState.TRAINING)
    assert button(loaded, "cancelButton").hasFocus()


def test_runs_have_the_name_that_was_typed_or_that_of_the_folder(
    loaded: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    field = loaded.findChild(QLineEdit, "runNameField")
    assert field is not None
    assert (field.text(), field.placeholderText()) == ("", "my sounds")
    QTest.keyClicks(field, "  Glass   bells ")
    for name in ("Glass bells", "Glass bells 2"):
        start(loaded, 1)
        await_state(qtbot, loaded, RunState.IDLE)
        folder = loaded.runs.runs.folder
        assert folder is not None
        assert RunRecord.load(folder).model_name == name
        known = loaded.runs.names_in_use
        qtbot.waitUntil(lambda: RunRecord.load(folder).model_name in known(), timeout=10_000)  # noqa: B023 - at once


def test_a_run_does_not_get_the_name_of_a_model(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    """Its run may be in another folder, or gone; the terminal has always counted it."""
    write_model(paths.models_dir() / "bells.distill", bells(name="My Sounds"))
    loaded.models.refresh()
    qtbot.waitUntil(lambda: "My Sounds" in loaded.runs.names_in_use(), timeout=10_000)
    start(loaded, 1)
    await_state(qtbot, loaded, RunState.IDLE)
    folder = loaded.runs.runs.folder
    assert folder is not None
    assert RunRecord.load(folder).model_name == "my sounds 2"


def test_the_state_of_a_run_with_a_long_name_is_seen(window: MainWindow, qapp: QApplication) -> None:
    window.resize(*SMALLEST_SIZE)
    name, line = "every bell that I recorded in the mountains last summer, with and without reverb", window.controls.eta
    window.controls.show_message(f"{name} · Paused at epoch 2 of 200")
    qapp.processEvents()
    assert line.width() <= window.controls.width()
    assert line.shown_text().startswith("every bell")
    assert line.shown_text().endswith("Paused at epoch 2 of 200")
    window.controls.show_computing("Computing in float32.")
    assert name in line.toolTip(), "beside how it is computed"


def test_another_folder_is_a_fresh_start(loaded: MainWindow, engine: FakeEngine, other: Path, qtbot: QtBot) -> None:
    engine.step_seconds = 0.01
    start(loaded, 500)
    qtbot.waitUntil(lambda: len(loaded.runs.bridge.history.epochs) >= 2, timeout=10_000)
    click(loaded, "cancelButton")
    await_state(qtbot, loaded, RunState.IDLE)
    folder = loaded.runs.runs.folder
    assert folder is not None
    loaded.open_folder(other)
    qtbot.waitUntil(lambda: loaded.runs.runs.folder is None, timeout=10_000)
    qtbot.waitUntil(lambda: first_button(loaded) == "startButton")  # once the layout has been done
    assert button(loaded, "startButton").text() == "&Start"
    assert not button(loaded, "resumeButton").isVisible()
    assert loaded.previews.grid.rowCount() == 0
    assert eta(loaded) == "Ready when you are."
    loaded.past_runs.show(folder)  # one click away
    qtbot.waitUntil(lambda: "Paused at epoch" in eta(loaded))
    assert button(loaded, "resumeButton").isEnabled()


def test_more_sounds_are_no_fresh_start(loaded: MainWindow, engine: FakeEngine, other: Path, qtbot: QtBot) -> None:
    start(loaded, 1)
    await_state(qtbot, loaded, RunState.IDLE)
    shown = loaded.runs.runs.folder
    loaded.sounds.add([other])
    qtbot.waitUntil(lambda: len(loaded.browser.usable_paths()) == 7, timeout=10_000)
    assert loaded.runs.runs.folder == shown


def test_a_failed_run_is_not_the_next_step(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.fail_with = TrainingError("The loss is not finite. Lower the learning rate.")
    start(loaded, 2)
    qtbot.waitUntil(lambda: "Lower the learning rate" in loaded.notices.text())
    await_state(qtbot, loaded, RunState.IDLE)
    qtbot.waitUntil(lambda: first_button(loaded) == "startButton")  # once the layout has been done
    assert button(loaded, "startButton").property("primary")


def test_another_family_leaves_the_plots_of_the_shown_run(loaded: MainWindow, qtbot: QtBot) -> None:
    start(loaded, 2)
    await_state(qtbot, loaded, RunState.IDLE)
    before = {name: plot.isHidden() for name, plot in loaded.plots.plots.items()}
    loaded.controls.choose("vqvae", "", 0)
    assert {name: plot.isHidden() for name, plot in loaded.plots.plots.items()} == before


def test_families_say_what_they_are_good_at(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    combo = loaded.controls.family
    assert [combo.itemText(row) for row in range(combo.count())] == [info.plain_name for info in FAMILIES]
    assert [combo.itemData(row, FAMILY_DETAIL_ROLE) for row in range(combo.count())] == [
        info.label for info in FAMILIES
    ]
    engine.step_seconds = 0.01
    start(loaded, 4)
    await_state(qtbot, loaded, RunState.TRAINING)
    await_state(qtbot, loaded, RunState.IDLE)
    detail = combo.itemData(combo.findData("vae"), FAMILY_DETAIL_ROLE)
    assert detail.startswith("Mel VAE · about ")


def test_overfitting_is_reported_once_for_a_run(loaded: MainWindow, qtbot: QtBot) -> None:
    start(loaded, 2)
    await_state(qtbot, loaded, RunState.IDLE)
    topics = [notice.topic for notice in loaded.notices.notices]
    assert topics.count("overfitting") == 1
    loaded.notices.forget_all()
    loaded.runs.bridge.noticed.emit(TrainingNotice("overfitting", "Overfitting: the gap is 40 %."))
    assert loaded.notices.notices == ()


def test_notices_about_a_run_go_with_it(loaded: MainWindow, qtbot: QtBot) -> None:
    start(loaded, 2)
    await_state(qtbot, loaded, RunState.IDLE)
    assert "30 %" in " ".join(notice.message for notice in loaded.notices.notices)
    loaded.runs.close_run()
    assert "30 %" not in " ".join(notice.message for notice in loaded.notices.notices)


def test_the_training_is_seen_on_every_page(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    status = loaded.findChild(QLabel, "trainingStatus")
    assert status is not None
    engine.step_seconds = 0.02
    start(loaded, 300)
    await_state(qtbot, loaded, RunState.TRAINING)
    assert not status.text()
    loaded.pages.show_page(MODELS)
    qtbot.waitUntil(lambda: "of 300" in status.text(), timeout=10_000)
    assert status.isVisible()  # beside the switch of the pages, whose place it never changes
    loaded.pages.show_page(TRAINING)
    assert not status.text()


def test_the_work_after_the_last_epoch_is_not_called_no_time_left(window: MainWindow) -> None:
    """The clock of the time left went on, and said each second that nothing was left to do."""
    controls = window.controls
    controls.show_state(RunState.TRAINING)
    controls.show_position(3, 4, 1.0, 2.0)
    controls.show_epoch(EpochMetrics(3, 4, 0.2, 0.2, 0.1, 0.1, 4.0, 0.0, 1e-3, 0.0, 9.0))
    assert controls.eta.text() == "Epoch 4 of 4 · a moment left"
    controls.show_preparation(PreparationProgress("Learning to make new sounds", 58, 231))
    for _ in range(2):
        assert controls.eta.text() == "Finishing: learning to make new sounds 58/231…"
        assert controls.progress.value() / controls.progress.maximum() == pytest.approx(58 / 231, abs=0.01)
        controls._time_left_timer.timeout.emit()
    controls.show_state(RunState.IDLE)


def test_the_time_left_is_that_to_the_finished_model(window: MainWindow) -> None:
    """It was that to the last epoch: "0 s left", and then half a minute in which the prior was trained."""
    controls = window.controls
    controls.show_state(RunState.TRAINING)
    controls.show_position(1, 2, 1.0, 2.0)
    last = EpochMetrics(1, 2, 0.2, 0.2, 0.1, 0.1, 4.0, 0.0, 1e-3, 0.0, 9.0, closing_seconds=30.0)
    controls.show_epoch(last)
    assert controls.eta.text() in ("Epoch 2 of 2 · 30 s left", "Epoch 2 of 2 · 29 s left")
    controls.show_state(RunState.IDLE)


def test_the_time_left_is_not_used_up_by_a_slow_epoch(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    """It said "Epoch 9 of 10 · 0 s left", then "Epoch 10 of 10 · 14 s left", then 0 s again."""
    controls, now = window.controls, [1000.0]
    monkeypatch.setattr("distill.training.steps.eta.time", SimpleNamespace(monotonic=lambda: now[0]))
    controls.show_state(RunState.TRAINING)
    controls.show_position(7, 10, 1.0, 2.0)
    eighth = EpochMetrics(7, 10, 0.2, 0.2, 0.1, 0.1, 4.0, 0.0, 1e-3, 4.0, 9.0, closing_seconds=30.0)
    controls.show_epoch(eighth)
    assert controls.eta.text() == "Epoch 8 of 10 · 34 s left"
    now[0] += 60.0  # the ninth takes longer than both were expected to
    controls.show_position(8, 10, 0.5, 2.0)
    assert controls.eta.text() == "Epoch 9 of 10 · 33 s left"
    controls.show_position(9, 10, 1.0, 2.0)  # all its steps are done, and the epoch is being measured
    assert controls.eta.text() == "Epoch 10 of 10 · 30 s left"
    controls.show_epoch(replace(eighth, epoch=9, eta_seconds=0.0))
    now[0] += 40.0
    controls._time_left_timer.timeout.emit()
    assert controls.eta.text() == "Epoch 10 of 10 · a moment left"
    controls.show_state(RunState.IDLE)


def test_the_work_after_the_last_epoch_says_how_long_it_takes(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    controls, now = window.controls, [1000.0]
    monkeypatch.setattr("distill.training.steps.eta.time", SimpleNamespace(monotonic=lambda: now[0]))
    controls.show_state(RunState.TRAINING)
    for done, said in ((1, "1/900…"), (301, "301/900 · 20 s left"), (900, "900/900 · a moment left"), (1, "1/900…")):
        controls.show_preparation(PreparationProgress("Learning to make new sounds", done, 900))
        assert controls.eta.text() == f"Finishing: learning to make new sounds {said}"
        now[0] += 10.0
    controls.show_state(RunState.IDLE)


def test_the_menu_offers_what_is_possible(loaded: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    def enabled() -> dict[str, bool]:
        menu = next(m for m in loaded.menuBar().findChildren(QMenu) if "Trai" in m.title())
        return {action.text(): action.isEnabled() for action in menu.actions() if action.text()}

    idle = {"Start": True, "Pause": False, "Finish now": False, "Resume": False, "Add to the queue": True}
    idle["Advanced settings"] = True
    assert enabled() == idle
    engine.step_seconds = 0.02
    start(loaded, 300)
    await_state(qtbot, loaded, RunState.TRAINING)
    assert enabled() == {**idle, "Start": False, "Pause": True, "Finish now": True}


def test_a_value_beyond_its_range_leaves_the_one_before(loaded: MainWindow, qtbot: QtBot) -> None:
    loaded.controls.advanced.setChecked(True)
    row = loaded.advanced.rows["chunk_duration_s"]
    before = row.editor.value()
    line = row.editor.control
    assert isinstance(line, QLineEdit)
    line.selectAll()
    QTest.keyClicks(line, "2000")  # 2 would be possible
    assert line.text() == "2000"
    assert row.editor.value() == before
    assert "2000" in row.message.text()
    assert f"stays {row.field.text(before)}" in row.message.text()


@pytest.mark.parametrize(("checkpoints", "words"), [
    ((), "interrupted before its first checkpoint. Resume starts it again."),
    ((0,), "was interrupted at epoch 3 of 9. Resume continues after epoch 1. 2 epochs are lost."),
    ((0, 2), "was interrupted at epoch 3 of 9. Resume continues after epoch 3."),
])  # fmt: skip
def test_a_crash_says_what_was_lost(window: MainWindow, checkpoints: tuple[int, ...], words: str, qtbot: QtBot) -> None:
    folder = earlier_run("bells", status="running")
    for path in (folder / "checkpoints").glob("*.pt"):
        path.unlink()
    for number in checkpoints:
        (folder / "checkpoints" / f"checkpoint_epoch{number:04}.pt").touch()
    window.runs.runs.open(folder)
    qtbot.waitUntil(lambda: words in window.notices.text())
    assert window.notices.text().endswith(words)
    assert "Interrupted at epoch 3 of 9" in eta(window)
    assert len(window.runs.bridge.history.epochs) in (0, 3)
    window.runs.close_run()
    assert window.notices.text() == ""
