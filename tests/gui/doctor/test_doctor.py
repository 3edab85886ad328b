"""The window finds what is wrong with sounds, plays them, fixes them and takes that back."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import Qt
from PySide6.QtTest import QSignalSpy, QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from distill import paths
from distill.audio import sound_scan
from distill.audio.decoding.sound_fix import SoundFix
from distill.gui.doctor.panel import FindingCard
from distill.gui.sounds import background_scan
from distill.gui.sounds.presenter import SoundsPresenter
from distill.gui.window.main_window import MainWindow
from distill.playback.player import PlayerState
from distill.settings import WindowSettings
from tests.gui.conftest import close, double_click, make_window
from tests.gui.fakes import FakeDevice, FakeEngine, tone

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def faulty(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> MainWindow:
    """The window on five sounds: one is there twice, one begins late, one is clipped."""
    folder = tmp_path / "faulty"
    folder.mkdir()
    t = np.arange(24_000) / 48_000
    for number in range(3):
        pluck = np.sin(2 * np.pi * (150 + 90 * number) * t) * np.exp(-(5 + number) * t)
        soundfile.write(folder / f"{number}.wav", pluck, 48_000)
    soundfile.write(folder / "again.flac", -0.4 * soundfile.read(folder / "0.wav")[0], 48_000)
    soundfile.write(folder / "late.wav", np.concatenate([np.zeros(20_000), tone(0.2)]), 48_000)
    clipped = np.clip(4 * np.sin(2 * np.pi * 333 * t) * np.exp(-6 * t), -1, 1)
    soundfile.write(folder / "loud.wav", 0.7 * clipped, 48_000)
    window.open_folder(folder)
    qtbot.waitUntil(lambda: len(cards(window)) == 3, timeout=60_000)
    return window


def cards(window: MainWindow) -> dict[str, FindingCard]:
    return {card.finding.kind: card for card in window.findChildren(FindingCard)}


def presenter(window: MainWindow) -> SoundsPresenter:
    return window.sounds


def test_findings_are_fixed_undone_and_trained_with(faulty: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    button = faulty.browser.doctor
    assert button.text() == "3 things to look at"
    button.click()
    found = cards(faulty)
    assert found["copies"].isVisible()
    assert found["copies"].finding.title == "The same sound twice"
    for card in found.values():
        sounds = card.sounds
        last = sounds.visualItemRect(sounds.item(sounds.count() - 1))
        assert last.bottom() < sounds.viewport().height(), "no row is cut off"
    folder = found["copies"].finding.sounds[0].parent
    found["copies"].button.click()
    assert found["copies"].button.text() == "Undo"
    found["clipping"].button.click()
    assert folder / "loud.wav" not in faulty.browser.usable_paths()
    found["silence"].button.click()
    assert button.text() == "Check: nothing left to do"
    wanted = {
        folder / "0.wav": SoundFix(weight=0.5), folder / "again.flac": SoundFix(weight=0.5),
        folder / "late.wav": SoundFix(trims=True), folder / "loud.wav": SoundFix(leaves_out=True),
    }  # fmt: skip
    assert presenter(faulty).fixes() == wanted
    presenter(faulty).exclusions.undo_stack.undo()  # as by Ctrl+Z
    assert found["silence"].button.text() == "Fix"
    found["clipping"].button.click()
    assert folder / "loud.wav" in faulty.browser.usable_paths()
    del wanted[folder / "late.wav"], wanted[folder / "loud.wav"]
    settings = WindowSettings()
    presenter(faulty).save(settings)
    presenter(faulty).restore(settings)
    assert presenter(faulty).exclusions.choice.fixes == wanted
    faulty.frame.controls.start.click()
    qtbot.waitUntil(lambda: engine.calls == ["train"], timeout=60_000)
    assert engine.fixes == wanted
    assert not button.isChecked()


def test_tab_leads_through_the_findings_to_the_buttons_below_them(faulty: MainWindow, qtbot: QtBot) -> None:
    faulty.activateWindow()
    qtbot.waitUntil(faulty.isActiveWindow)
    faulty.browser.doctor.click()
    faulty.controls.queue.setFocus()
    visited = []
    for _ in range(8):
        QTest.keyClick(faulty.focusWidget(), Qt.Key.Key_Tab)
        visited.append(faulty.focusWidget().objectName())
    assert visited == ["findingSounds", "fixButton"] * 3 + ["fixAllButton", "doctorDoneButton"]


def test_a_click_on_a_sound_of_a_finding_plays_it(faulty: MainWindow) -> None:
    faulty.browser.doctor.click()
    card = cards(faulty)["silence"]
    spy = QSignalSpy(card.play_requested)
    at = card.sounds.visualItemRect(card.sounds.item(0)).center()
    QTest.mouseClick(card.sounds.viewport(), LEFT, pos=at)
    assert [call[0].name for call in (spy.at(n) for n in range(spy.count()))] == ["late.wav"]


def test_space_stops_the_sound_that_is_heard_and_plays_another(faulty: MainWindow, qtbot: QtBot) -> None:
    """As in all lists of sounds; it began anew here."""
    faulty.activateWindow()
    qtbot.waitUntil(faulty.isActiveWindow)
    faulty.browser.doctor.click()
    sounds, playback = cards(faulty)["copies"].sounds, faulty.playing.playback
    path = sounds.item(0).data(Qt.ItemDataRole.UserRole)
    sounds.setFocus()
    sounds.setCurrentRow(0)
    for state in (PlayerState.PLAYING, PlayerState.IDLE, PlayerState.PLAYING):
        QTest.keyClick(sounds, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda state=state: playback.status.state is state)  # type: ignore[misc]
        assert playback.status.path == path
    sounds.setCurrentRow(1)
    QTest.keyClick(sounds, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: playback.status.path not in (path, None))
    assert playback.status.state is PlayerState.PLAYING


def test_sounds_that_cannot_be_read_are_not_said_to_be_checked(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    """As on a data folder that is read-only; once it is writable, they are checked."""
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.wav", tone(0.2 + number), 48_000)
    cache = paths.cache_dir() / "sounds"
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_bytes(b"no folder")
    button = window.browser.doctor
    window.open_folder(tmp_path)
    qtbot.waitUntil(lambda: button.text() == "Not checked", timeout=60_000)
    assert "cannot be written to" in window.notices.text()
    cache.unlink()
    window.open_folder(tmp_path)
    qtbot.waitUntil(lambda: not button.text().startswith(("Not", "Checking")), timeout=60_000)


@pytest.fixture
def slow_decoding(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Sounds are decoded once the event is set."""
    may_decode = threading.Event()

    def check_sounds(*given: Any, **named: Any) -> Any:
        assert may_decode.wait(60)
        return sound_scan.check_sounds(*given, **named)

    monkeypatch.setattr(background_scan, "check_sounds", check_sounds)
    yield may_decode
    may_decode.set()


def message(window: MainWindow) -> str:
    labels = window.parts.doctor_panel.findChildren(QLabel, "muted")
    return "".join(label.text() for label in labels if label.isVisible())


def test_the_findings_of_another_folder_go_with_it(
    faulty: MainWindow, tmp_path: Path, qtbot: QtBot, slow_decoding: threading.Event
) -> None:
    folder = tmp_path / "good"
    folder.mkdir()
    for number in range(3):
        soundfile.write(folder / f"{number}.wav", tone(0.5, 200.0 + 90 * number), 48_000)
    faulty.browser.doctor.click()
    faulty.open_folder(folder)
    qtbot.waitUntil(lambda: len(faulty.browser.table.rows) == 3)
    assert faulty.browser.doctor.text() == "Checking the sounds…"
    qtbot.waitUntil(lambda: cards(faulty) == {})  # not a fix of what is not listed any more
    assert message(faulty) == "Checking the sounds…"
    assert not faulty.parts.doctor_panel.fix_all.isEnabled()
    sound = faulty.browser.usable_paths()[0]
    faulty.sounds.exclusions.choose([sound], True)
    assert faulty.browser.doctor.text() == "Checking the sounds…", "nothing has been examined yet"
    slow_decoding.set()
    qtbot.waitUntil(lambda: faulty.browser.doctor.text() != "Checking the sounds…", timeout=60_000)
    assert not any(folder not in path.parents for card in cards(faulty).values() for path in card.finding.sounds)
    faulty.sounds.exclusions.choose([sound], False)  # it may be a copy of another one
    assert faulty.browser.doctor.text() == "Checking the sounds…"
    qtbot.waitUntil(lambda: faulty.browser.doctor.text() != "Checking the sounds…", timeout=60_000)


def test_nothing_is_said_of_sounds_before_they_are_decoded_at_the_start(
    qapp: QApplication, sounds: Path, qtbot: QtBot, slow_decoding: threading.Event
) -> None:
    WindowSettings(sounds=[str(sounds)], excluded=[str(sounds / "tone 1.wav")]).save()
    window = make_window(qtbot, FakeEngine(), FakeDevice())
    qtbot.waitUntil(lambda: len(window.browser.usable_paths()) == 4)
    assert window.browser.doctor.text() == "Checking the sounds…"
    slow_decoding.set()
    qtbot.waitUntil(lambda: window.browser.doctor.text() != "Checking the sounds…", timeout=60_000)
    close(qtbot, window)


def test_files_of_which_none_can_be_used_are_checked_at_once(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    window.open_folder(tmp_path)
    qtbot.waitUntil(lambda: window.browser.doctor.text() == "Check: nothing is wrong", timeout=60_000)


def test_a_double_click_fixes_and_does_not_undo_it(faulty: MainWindow) -> None:
    faulty.browser.doctor.click()
    card = cards(faulty)["silence"]
    double_click(card.button)
    assert card.button.text() == "Undo"
    assert [path.name for path in presenter(faulty).fixes()] == ["late.wav"]
