"""A/B: a reconstruction against its original, from the grid to the samples that reach the device."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTableView, QToolButton
from pytestqt.qtbot import QtBot

from distill.gui.previews.model import PLAYING_ROLE
from distill.gui.widgets import theme
from distill.gui.window.main_window import MainWindow
from distill.playback.player import PlayerState, PlayerStatus
from distill.runs.preview_files import find_previews
from tests.gui.fakes import FakeDevice, tone
from tests.gui.previews.test_previews import LEFT, cell, click, table

_COPIES = "recon_epoch{:04}_recon_00"
RECON, ORIGINAL = "recon_epoch0001_recon_00.wav", "recon_epoch0000_orig_00.wav"


@pytest.fixture
def shown(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> MainWindow:
    """Two epochs of pairs and new sounds, 2 s long; the originals are four times as loud as the copies."""
    for epoch in range(2):
        for name, gain in (
            ("preview_epoch{}_00", 1.0),
            ("recon_epoch{}_orig_00", 2.0),
            ("recon_epoch{}_recon_00", 0.5),
        ):
            path = tmp_path / "previews" / f"{name.format(f'{epoch:04}')}.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, gain * tone(2.0), 48_000, subtype="PCM_16")
    window.previews.show_previews(find_previews(tmp_path / "previews"))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    table(window).setFocus()
    return window


def status(window: MainWindow) -> PlayerStatus:
    return window.playing.playback.status


def wait_heard(qtbot: QtBot, window: MainWindow, name: str) -> None:
    qtbot.waitUntil(
        lambda: (
            status(window).state is PlayerState.PLAYING
            and status(window).path is not None
            and status(window).path.name == name  # type: ignore[union-attr]
        )
    )


def button(window: MainWindow) -> QToolButton:
    found = window.findChild(QToolButton, "compareButton")
    assert found is not None
    return found


def hear(device: FakeDevice, seconds: float = 0.1) -> float:
    """Let the device take so much, and return how loud it is."""
    block = np.zeros((round(seconds * 48_000), 2), dtype=np.float32)
    device.outputs[-1].fill(block)
    return float(np.sqrt(np.mean(block**2)))


def test_b_switches_while_playing_and_keeps_place_and_loudness(
    shown: MainWindow, device: FakeDevice, qtbot: QtBot
) -> None:
    view, strip = table(shown), table(shown, "previewOriginals")
    click(view, cell(shown, 1, 1))
    wait_heard(qtbot, shown, RECON)
    hear(device, 0.5)
    player = shown.playing.playback.player
    QTest.keyClick(view, Qt.Key.Key_B)
    wait_heard(qtbot, shown, ORIGINAL)
    assert player.position_seconds == pytest.approx(0.5, abs=0.01)  # where it was
    assert len(device.outputs) == 1  # nothing was opened anew: there is no gap
    hear(device)  # the crossfade
    original = hear(device)
    assert button(shown).isChecked()
    assert strip.model().index(0, 1).data(PLAYING_ROLE) is True
    assert cell(shown, 1, 1).data(PLAYING_ROLE) is False
    QTest.mouseClick(button(shown), LEFT)
    wait_heard(qtbot, shown, RECON)
    assert not button(shown).isChecked()
    assert cell(shown, 1, 1).data(PLAYING_ROLE) is True
    hear(device)
    assert hear(device) == pytest.approx(original, rel=0.06)  # half a decibel
    assert player.position_seconds == pytest.approx(0.9, abs=0.01)


def test_the_cell_of_what_is_heard_is_painted_as_such(shown: MainWindow, device: FakeDevice, qtbot: QtBot) -> None:
    view, strip = table(shown), table(shown, "previewOriginals")
    model, original = cell(shown, 1, 1), strip.model().index(0, 1)

    def ground(cells: QTableView, index: QModelIndex, inset: int = 4) -> str:
        rect = cells.visualRect(index)
        return cells.viewport().grab(rect).toImage().pixelColor(inset, rect.height() // 2 if inset > 1 else 0).name()

    colors = theme.colors()
    click(view, model)
    wait_heard(qtbot, shown, RECON)
    assert (ground(view, model), ground(strip, original)) == (colors.accent, colors.hover)
    QTest.keyClick(view, Qt.Key.Key_B)
    wait_heard(qtbot, shown, ORIGINAL)
    assert (ground(view, model), ground(strip, original)) == (colors.selection, colors.accent)
    shown.transport.volume.setFocus()
    assert ground(view, model) == colors.selection  # where the cursor is, without the keys
    assert ground(view, model, 0) == colors.surface  # rounded: nothing is painted in the corner


def test_space_stops_a_comparison_whichever_is_heard(shown: MainWindow, device: FakeDevice, qtbot: QtBot) -> None:
    view = table(shown)
    view.setCurrentIndex(cell(shown, 1, 1))
    for name in (RECON, ORIGINAL):
        QTest.keyClick(view, Qt.Key.Key_B)
        wait_heard(qtbot, shown, name)
    QTest.keyClick(view, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: status(shown).state is PlayerState.IDLE)


def test_b_in_silence_begins_with_the_models(shown: MainWindow, device: FakeDevice, qtbot: QtBot) -> None:
    view = table(shown)
    view.setCurrentIndex(cell(shown, 1, 1))
    QTest.keyClick(view, Qt.Key.Key_B)
    wait_heard(qtbot, shown, RECON)
    device.outputs[-1].finish()
    qtbot.waitUntil(lambda: status(shown).state is PlayerState.IDLE)
    QTest.keyClick(view, Qt.Key.Key_B)  # short sounds are heard one after the other
    wait_heard(qtbot, shown, ORIGINAL)


def test_from_the_original_b_goes_to_the_epoch_under_the_cursor(
    shown: MainWindow, device: FakeDevice, qtbot: QtBot
) -> None:
    view, strip = table(shown), table(shown, "previewOriginals")
    view.setCurrentIndex(cell(shown, 0, 1))
    click(strip, strip.model().index(0, 1))
    wait_heard(qtbot, shown, ORIGINAL)
    assert button(shown).isEnabled()
    hear(device, 0.5)
    QTest.keyClick(strip, Qt.Key.Key_B)
    wait_heard(qtbot, shown, "recon_epoch0000_recon_00.wav")
    assert shown.playing.playback.player.position_seconds == pytest.approx(0.5, abs=0.01)


def test_a_new_sound_has_no_original_and_the_button_says_so(shown: MainWindow, device: FakeDevice) -> None:
    view = table(shown)
    view.setCurrentIndex(cell(shown, 1, 0))
    assert not button(shown).isEnabled()
    assert "no original" in button(shown).toolTip()
    QTest.keyClick(view, Qt.Key.Key_B)
    assert device.outputs == []
    view.setCurrentIndex(cell(shown, 1, 1))
    assert button(shown).isEnabled()
    assert "(B)" in button(shown).toolTip()


def test_walking_on_leaves_the_comparison(shown: MainWindow, device: FakeDevice, qtbot: QtBot) -> None:
    view: QTableView = table(shown)
    view.setCurrentIndex(cell(shown, 1, 1))
    QTest.keyClick(view, Qt.Key.Key_B)
    wait_heard(qtbot, shown, RECON)
    QTest.keyClick(view, Qt.Key.Key_Up)
    wait_heard(qtbot, shown, "recon_epoch0000_recon_00.wav")
    assert status(shown).pair is None
    QTest.keyClick(view, Qt.Key.Key_B)
    wait_heard(qtbot, shown, ORIGINAL)
