"""The sounds that models made to be heard by: they go with their models, and never fill the disk."""

import os
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from distill import paths
from distill.audio.export import write_wav
from distill.generation import audition_samples
from distill.generation.audition_samples import AuditionKind, AuditionSample, find_samples, tidy_samples
from distill.gui.library.model_sounds_list import ModelSoundsList
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS
from distill.library.model_entry import ModelEntry
from distill.library.model_library import ModelLibrary
from distill.playback.player import PlayerState
from tests.gui.conftest import double_click
from tests.gui.fakes import tone
from tests.library.test_model_library import bells, write_model

HOUR_NS = 3_600 * 10**9


@pytest.fixture
def models() -> tuple[ModelEntry, ...]:
    """Four models, of which each has made a sound."""
    library = ModelLibrary(paths.models_dir())
    for n in range(4):
        write_model(library.folder / f"model {n}.distill", bells(name=f"Model {n}", model_id=f"{n}" * 32))
    listed = tuple(sorted(library.list(), key=lambda entry: entry.path.name))
    for entry in listed:
        write_wav(sound_of(entry), tone(0.1))
    return listed


def sound_of(entry: ModelEntry) -> Path:
    return paths.cache_dir() / "probes" / f"{entry.path.stem.replace(' ', '-')} {entry.mtime_ns:x}.wav"


def kept(models: Iterable[ModelEntry]) -> list[bool]:
    return [sound_of(entry).is_file() for entry in models]


def test_sounds_go_with_their_models_and_when_these_change(models: tuple[ModelEntry, ...]) -> None:
    other = sound_of(models[0]).with_suffix(".txt")
    other.write_text("not ours")
    tidy_samples([models[0], models[1], replace(models[2], mtime_ns=models[2].mtime_ns + 1)])
    assert kept(models) == [True, True, False, False]
    assert other.exists()
    tidy_samples([])
    assert kept(models) == [False] * 4
    other.unlink()
    other.parent.rmdir()
    tidy_samples(models)  # nothing was ever made


def test_what_was_used_longest_ago_goes_first(models: tuple[ModelEntry, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    written = sound_of(models[0]).stat().st_mtime_ns - 10 * HOUR_NS
    for age, entry in enumerate(models):
        os.utime(sound_of(entry), ns=(written - age * HOUR_NS, written))
    assert find_samples(models[3]).sounds[0].path == sound_of(models[3])  # it is looked at: used now
    assert sound_of(models[3]).stat().st_mtime_ns == written  # its picture need not be drawn anew
    monkeypatch.setattr(audition_samples, "MOST_KEPT", 2)
    tidy_samples(models)
    assert kept(models) == [True, False, False, True]


def test_the_window_tidies_up_off_its_thread(
    models: tuple[ModelEntry, ...], window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def noted(entries: Iterable[ModelEntry]) -> None:
        tidy_samples(entries)
        threads.append(threading.current_thread())

    monkeypatch.setattr("distill.gui.library.model_sounds_presenter.tidy_samples", noted)
    stale = sound_of(models[0]).with_name("a-model-of-long-ago 1.wav")
    write_wav(stale, tone(0.1))
    window.models.refresh()
    qtbot.waitUntil(lambda: bool(threads), timeout=10_000)
    assert not stale.exists()
    assert kept(models) == [True] * 4
    window.models.refresh()
    qtbot.waitUntil(lambda: not window.models.worker.is_busy, timeout=10_000)
    models[1].path.unlink()
    window.models.refresh()
    qtbot.waitUntil(lambda: len(threads) == 2, timeout=10_000)  # not for the list in between, which brought nothing new
    assert kept(models) == [True, False, True, True]
    assert threading.main_thread() not in threads


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_a_key_plays_the_sound_that_has_the_focus(
    window: MainWindow, tmp_path: Path, qtbot: QtBot, key: Qt.Key
) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.pages.open_page(MODELS)
    for name in "ab":
        write_wav(tmp_path / f"{name}.wav", tone(0.1))
    before = tmp_path / "a.wav"
    window.playing.play(before)
    playback = window.playing.playback
    qtbot.waitUntil(lambda: playback.status.path == before)
    sounds = ModelSoundsList(window.thumbnails, window)
    sounds.show_samples([AuditionSample(AuditionKind.NEW, 0, tmp_path / "b.wav")])
    sounds.show()
    requested: list[Path] = []
    sounds.play_requested.connect(requested.append)
    sounds.rows[0].setFocus()
    qtbot.waitUntil(sounds.rows[0].hasFocus)
    QTest.keyClick(sounds.rows[0], key)
    assert requested == [tmp_path / "b.wav"]
    assert playback.status.state is PlayerState.PLAYING, "the sound before is not stopped instead"


def test_tab_visits_the_sounds_where_they_are(window: MainWindow, tmp_path: Path) -> None:
    """They are made anew for each model, and would come after everything else in the window."""
    write_wav(tmp_path / "a.wav", tone(0.1))
    samples = [AuditionSample(kind, 0, tmp_path / "a.wav") for kind in AuditionKind]
    detail = window.models_page.detail
    for shown in (samples[:2], samples):
        detail.model_sounds.show_samples(shown)
        visited: list[QWidget] = []
        widget = detail.name.nextInFocusChain()
        while widget is not None and widget is not detail.tags:
            visited.append(widget)
            widget = widget.nextInFocusChain()
        assert [widget for widget in visited if widget in detail.model_sounds.rows] == list(detail.model_sounds.rows)
    assert [row.text() for row in detail.model_sounds.rows] == ["New sound 1", "Original 1", "Copy 1"]
    learnt = AuditionSample(AuditionKind.ORIGINAL, 0, tmp_path / "a.wav", "a snare.wav", is_trained=True)
    detail.model_sounds.show_samples([learnt])
    assert detail.model_sounds.rows[0].text() == "a snare"
    assert "was trained on" in detail.model_sounds.rows[0].toolTip()


def test_a_double_click_plays_and_does_not_stop_again(window: MainWindow, tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(0.1))
    sounds, asked = ModelSoundsList(window.thumbnails, window), list[str]()
    sounds.show_samples([AuditionSample(AuditionKind.NEW, 0, tmp_path / "a.wav")])
    sounds.play_requested.connect(lambda _path: asked.append("play"))
    sounds.play_requested.connect(sounds.show_playing)
    sounds.stop_requested.connect(lambda: asked.append("stop"))
    sounds.show()
    double_click(sounds.rows[0])
    assert asked == ["play"]
    sounds.rows[0].click()
    assert asked == ["play", "stop"]
