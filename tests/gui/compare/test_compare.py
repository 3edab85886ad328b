"""Comparing runs in the window: choosing them, curves, settings, and sounds that are switched by a key."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from distill import paths
from distill.generation import audition_samples
from distill.gui.compare.compared_sounds import COMPARED_FILE_ROLE, HEARD_ROLE
from distill.gui.compare.dialog import CompareDialog
from distill.gui.plots.axes import AXIS_WIDTH
from distill.gui.window.main_window import MainWindow
from distill.playback.player import PlayerState
from tests.gui.conftest import double_click
from tests.gui.fakes import FakeDevice, tone
from tests.runs.test_comparison import write_run

LEFT, CONTROL = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def runs() -> list[Path]:
    folders = [
        write_run(paths.runs_dir() / "first", "vae", [0.5, 0.3, 0.4], ["bell.wav"], seed=1),
        write_run(paths.runs_dir() / "second", "vae", [0.6, 0.2], ["bell.wav"], seed=2),
    ]
    for number, folder in enumerate(folders):
        for file in (folder / "previews").iterdir():
            soundfile.write(file, tone(1.0, 200.0 * (number + 1)), 48_000)
    return folders


@pytest.fixture
def dialog(window: MainWindow, runs: list[Path], qtbot: QtBot) -> CompareDialog:
    """The comparison of both runs, opened from the list."""
    window.tabs.setCurrentWidget(window.run_list)
    window.past_runs.refresh()
    view = window.run_list.view
    qtbot.waitUntil(lambda: view.model().rowCount() == 2)
    button = window.findChild(QPushButton, "compareRunsButton")
    assert button is not None
    for number in range(2):
        assert not button.isEnabled()
        rect = view.visualRect(view.model().index(number, 0))
        QTest.mouseClick(view.viewport(), LEFT, CONTROL, rect.center())
    assert window.runs.runs.folder is None  # choosing several shows none of them
    QTest.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: window.parts.comparing.dialog is not None)
    found = window.parts.comparing.dialog
    assert found is not None
    qtbot.waitActive(found).__enter__()
    return found


def test_a_double_click_reads_the_runs_once(window: MainWindow, runs: list[Path], qtbot: QtBot) -> None:
    requests = list[object]()
    window.run_list.compare_requested.disconnect()
    window.run_list.compare_requested.connect(requests.append)
    window.tabs.setCurrentWidget(window.run_list)
    window.past_runs.refresh()
    qtbot.waitUntil(lambda: window.run_list.view.model().rowCount() == 2)
    window.run_list.view.setCurrentIndex(window.run_list.view.model().index(0, 0))
    window.run_list.view.selectAll()
    double_click(window.run_list.compare)
    assert requests == [runs[::-1]]


def heard(dialog: CompareDialog) -> list[tuple[int, int]]:
    table = dialog.table
    cells = [(row, column) for row in range(table.rowCount()) for column in range(table.columnCount())]
    return [cell for cell in cells if table.index(*cell).data(HEARD_ROLE)]


def test_curves_and_settings_of_both(dialog: CompareDialog) -> None:
    assert [list(dialog.plot.curves[letter].x) for letter in "AB"] == [[1, 2], [1, 2, 3]]  # the newest run first
    dialog.axis.button(1).click()
    assert [curve.last_position() for curve in dialog.plot.curves.values()] == [4 / 60, 6 / 60]
    headers = dialog.settings.model().headerData
    labels = [headers(number, Qt.Orientation.Vertical) for number in range(dialog.settings.rowCount())]
    assert labels[-1] == "Seed"
    model, row = dialog.settings.model(), len(labels) - 1
    assert [model.index(row, column).data() for column in range(2)] == ["2", "1"]


def test_the_curves_have_the_width_and_the_keys_are_those_of_the_runs(dialog: CompareDialog) -> None:
    view = dialog.plot.widget
    assert view.width() - view.box.sceneBoundingRect().right() < AXIS_WIDTH, "no room for an axis that is not there"
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    assert "A to B and O switch at the same position and loudness, Space stops" in texts


def test_letters_switch_in_place(dialog: CompareDialog, window: MainWindow, qtbot: QtBot) -> None:
    player = window.playing.playback
    for key, cell in ((Qt.Key.Key_A, (0, 1)), (Qt.Key.Key_B, (0, 2)), (Qt.Key.Key_O, (0, 0))):
        QTest.keyClick(dialog.sounds, key)
        qtbot.waitUntil(lambda cell=cell: heard(dialog) == [cell])  # type: ignore[misc]
        assert player.status.state is PlayerState.PLAYING
    assert player.status.group == dialog.table.group(0)
    assert player.status.pair is None
    QTest.keyClick(dialog.sounds, Qt.Key.Key_C)  # there is no third run
    QTest.keyClick(dialog.sounds, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: heard(dialog) == [])
    dialog.sounds.setCurrentIndex(dialog.table.index(1, 1))
    QTest.keyClick(dialog.sounds, Qt.Key.Key_B)
    qtbot.waitUntil(lambda: heard(dialog) == [(1, 2)])
    dialog.close()
    qtbot.waitUntil(lambda: player.status.state is PlayerState.IDLE)
    assert window.parts.comparing.dialog is None


def test_a_silent_comparison_is_played_from_the_position_that_is_clicked(
    dialog: CompareDialog, window: MainWindow, device: FakeDevice, qtbot: QtBot
) -> None:
    playback, position = window.playing.playback, window.transport.position
    QTest.keyClick(dialog.sounds, Qt.Key.Key_B)
    qtbot.waitUntil(lambda: heard(dialog) == [(0, 2)])
    group = playback.status.group
    device.outputs[-1].finish()
    qtbot.waitUntil(lambda: playback.status.state is PlayerState.IDLE)
    QTest.mouseClick(position, LEFT, pos=position.rect().center())
    qtbot.waitUntil(lambda: playback.status.state is PlayerState.PLAYING)
    device.outputs[-1].fill(np.zeros((480, 2), np.float32))
    assert playback.player.position_seconds == pytest.approx(0.51, abs=0.02)
    assert (playback.status.group, heard(dialog)) == (group, [(0, 2)])


def test_sounds_of_the_best_epoch(dialog: CompareDialog) -> None:
    def shown() -> list[str]:
        return [dialog.table.index(0, column).data(COMPARED_FILE_ROLE).name for column in (1, 2)]

    assert shown() == ["recon_epoch0001_recon_00.wav", "recon_epoch0002_recon_00.wav"]
    dialog.epoch.setCurrentIndex(1)
    dialog.epoch.activated.emit(1)
    assert shown() == ["recon_epoch0001_recon_00.wav", "recon_epoch0001_recon_00.wav"]


def test_sounds_of_a_seed(
    dialog: CompareDialog, window: MainWindow, runs: list[Path], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sounds(model_file: Path, name: str, seed: int, count: int) -> list[Path]:
        return [runs[0] / "previews" / f"{name} {seed} {number}.wav" for number in range(count)]

    monkeypatch.setattr(audition_samples, "_seed_samples", sounds)
    before = dialog.table.rowCount()
    dialog.seed.setValue(9)
    dialog.generate.click()
    qtbot.waitUntil(lambda: dialog.table.rowCount() == before + 3 and dialog.generate.isEnabled())
    assert dialog.table.index(before, 2).data(COMPARED_FILE_ROLE).name == "first 9 0.wav"
    assert "Seed 9, new 1" in str(dialog.table.index(before, 2).data(Qt.ItemDataRole.AccessibleTextRole))


def test_a_run_that_cannot_be_read_is_told(window: MainWindow, runs: list[Path], qtbot: QtBot) -> None:
    (runs[0] / "run.json").write_text("damaged")
    window.parts.comparing.compare(runs)
    qtbot.waitUntil(lambda: "cannot be read" in window.notices.text())


def test_what_goes_wrong_is_said_where_it_is_seen(dialog: CompareDialog, runs: list[Path], qtbot: QtBot) -> None:
    """The notices of the main window lie behind the comparison."""
    dialog.generate.click()  # the runs have left no models
    qtbot.waitUntil(lambda: dialog.problem.isVisible(), timeout=20_000)
    for folder in runs:
        for file in (folder / "previews").iterdir():
            file.unlink()
    dialog.sounds.hear("A")
    qtbot.waitUntil(lambda: ".wav" in dialog.problem.text(), timeout=10_000)


def test_space_plays_the_cell_under_the_cursor(dialog: CompareDialog, qtbot: QtBot) -> None:
    """Space stopped the original, and then played the first run in its place."""
    for key in (Qt.Key.Key_O, Qt.Key.Key_Space):
        QTest.keyClick(dialog.sounds, key)
        qtbot.waitUntil(lambda key=key: bool(heard(dialog)) is (key == Qt.Key.Key_O))  # type: ignore[misc]
    QTest.keyClick(dialog.sounds, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: bool(heard(dialog)))
    assert heard(dialog) == [(0, 0)]


def test_space_plays_the_row_that_the_letters_play_after_another_epoch_is_chosen(
    dialog: CompareDialog, qtbot: QtBot
) -> None:
    dialog.sounds.setCurrentIndex(dialog.table.index(1, 2))
    dialog.epoch.setCurrentIndex(1)
    dialog.epoch.activated.emit(1)
    QTest.keyClick(dialog.sounds, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: bool(heard(dialog)))
    assert {row for row, _ in heard(dialog)} == {1}
