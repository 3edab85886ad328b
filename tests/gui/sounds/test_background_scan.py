"""A scan and a training at the same time: the scan goes on, and what it has found is decoded after the training."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import soundfile
from pytestqt.qtbot import QtBot

from distill.audio import sound_scan
from distill.gui.engine.run_state import RunState
from distill.gui.sounds import background_scan
from distill.gui.sounds.sound_row import SoundStatus
from distill.gui.window.main_window import MainWindow
from tests.gui.fakes import FakeEngine, tone
from tests.gui.sounds.test_listing import settle
from tests.gui.training.test_training import await_state, click, start


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that answers a scan once the event is set."""
    answers = threading.Event()

    def scan_sounds(*given: Any, **named: Any) -> Any:
        assert answers.wait(60)
        return sound_scan.scan_sounds(*given, **named)

    monkeypatch.setattr(background_scan, "scan_sounds", scan_sounds)
    yield answers
    answers.set()


@pytest.fixture
def others(tmp_path: Path) -> Path:
    folder = tmp_path / "others"
    folder.mkdir()
    for number in range(3):
        soundfile.write(folder / f"other {number}.wav", tone(0.3, 500.0 + 90 * number), 48_000)
    return folder


def listed(window: MainWindow) -> dict[str, SoundStatus]:
    return {row.name: row.status for row in window.browser.table.rows}


@pytest.mark.parametrize("begins_first", ["scan", "training"])
def test_a_scan_is_finished_during_a_training_and_decoding_after_it(
    loaded: MainWindow,
    engine: FakeEngine,
    qtbot: QtBot,
    slow_disk: threading.Event,
    others: Path,
    begins_first: str,
) -> None:
    settle(loaded, qtbot)
    engine.step_seconds = 0.02
    if begins_first == "scan":
        loaded.open_folder(others)
        start(loaded, 1000)  # on the list of before
    else:
        start(loaded, 1000)
        loaded.open_folder(others)
    await_state(qtbot, loaded, RunState.TRAINING)
    assert loaded.browser.detail.text() == "Looking for sounds…"
    slow_disk.set()
    qtbot.waitUntil(lambda: set(listed(loaded)) == {f"other {number}.wav" for number in range(3)})
    assert "Looking" not in loaded.browser.detail.text()
    assert not loaded.sounds.scanner.is_busy, "the engine has the disk and the processor for itself"
    assert set(listed(loaded).values()) == {SoundStatus.LISTED}
    click(loaded, "cancelButton")
    await_state(qtbot, loaded, RunState.IDLE)
    qtbot.waitUntil(lambda: set(listed(loaded).values()) == {SoundStatus.READY})


def test_closing_does_not_wait_for_the_search_of_a_big_folder(
    window: MainWindow, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a whole disk that was chosen by mistake, or that lies behind a slow network."""
    top = tmp_path / "big"
    for number in range(200):
        (top / str(number) / "inner").mkdir(parents=True)
    searched: list[object] = []

    def scandir(folder: Any) -> Any:
        searched.append(folder)
        time.sleep(0.03)
        return os.scandir(folder)

    monkeypatch.setattr(sound_scan, "os", SimpleNamespace(**{**vars(os), "scandir": scandir}))
    window.open_folder(top)
    window.making.take_drop([top])
    qtbot.waitUntil(lambda: len(searched) > 3)
    began = time.monotonic()
    assert window.close()
    assert time.monotonic() - began < 4
    assert len(searched) < 200


def test_a_folder_that_is_dropped_again_is_searched_anew(loaded: MainWindow, sounds: Path, qtbot: QtBot) -> None:
    """There may be other files in it by now; otherwise the drop would do nothing."""
    soundfile.write(sounds / "new.wav", tone(0.9), 48_000)
    loaded.sounds.add([sounds])
    qtbot.waitUntil(lambda: sounds / "new.wav" in loaded.browser.usable_paths(), timeout=10_000)
    assert not loaded.sounds.exclusions.undo_stack.canUndo()
