"""The window finds what is wrong with sounds, plays them, fixes them and takes that back."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import Qt
from PySide6.QtTest import QSignalSpy, QTest
from pytestqt.qtbot import QtBot

from distill import paths
from distill.audio.decoding.fixes import SoundFix
from distill.gui.doctor.finding_card import FindingCard
from distill.gui.sounds.presenter import SoundsPresenter
from distill.gui.window.window import MainWindow
from distill.settings import WindowSettings
from tests.gui.fakes import FakeEngine, tone

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


def test_a_click_on_a_sound_of_a_finding_plays_it(faulty: MainWindow) -> None:
    faulty.browser.doctor.click()
    card = cards(faulty)["silence"]
    spy = QSignalSpy(card.play_requested)
    at = card.sounds.visualItemRect(card.sounds.item(0)).center()
    QTest.mouseClick(card.sounds.viewport(), LEFT, pos=at)
    assert [call[0].name for call in (spy.at(n) for n in range(spy.count()))] == ["late.wav"]


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
