"""Waveforms: what is drawn, and how the peaks come."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from distill.audio.cache import waveform_overview
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets.waveform import draw_waveform
from tests.gui.fakes import tone

INK = QColor("#b5541c")


def drawn(peaks: NDArray[np.float32], scale: float, **how: bool) -> NDArray[np.uint8]:
    """Draw into a picture of 40 x 20 points and return how opaque each of its pixels is."""
    image = QImage(round(40 * scale), round(20 * scale), QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(scale)
    image.fill(0)
    painter = QPainter(image)
    draw_waveform(painter, QRectF(4, 4, 32, 12), peaks, INK, **how)
    painter.end()
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return pixels[:, :, 3].copy()


def peaks_of(*heights: float) -> NDArray[np.float32]:
    return np.array([[-h, h] for h in heights], np.float32).repeat(64, axis=0)


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_a_waveform_is_crisp_at_every_scale(scale: float) -> None:
    alpha = drawn(peaks_of(0.0, 1.0), scale)
    left, middle, right, top, bottom = (round(scale * at) for at in (4, 20, 36, 4, 16))
    assert (alpha[:top] == 0).all()
    assert (alpha[bottom:] == 0).all()
    assert (alpha[:, :left] == 0).all()
    assert (alpha[:, right:] == 0).all()
    assert (alpha[top:bottom, middle + 1 : right] == 255).all()  # no column is half a pixel off
    silence = alpha[:, left : middle - 1].astype(int)
    assert (silence.sum(axis=0) >= 250).all()  # a thin line
    assert (silence.sum(axis=0) <= 260).all()


def test_quiet_sounds_fill_the_height_unless_levels_are_compared() -> None:
    quiet = peaks_of(0.1, 0.05)
    assert (drawn(quiet, 1.0)[4:16, 5:18] == 255).all()
    true_to_level = drawn(quiet, 1.0, fills=False)
    assert (true_to_level[:9] == 0).all()
    assert (true_to_level[11:] == 0).all()
    assert drawn(quiet, 1.0, muted=True).max() == 102


def test_a_spike_is_seen_however_many_samples_share_a_column() -> None:
    peaks = np.zeros((1024, 2), np.float32)
    peaks[500] = (0.0, 1.0)
    assert (drawn(peaks, 1.0)[4:10].max(axis=1) == 255).all()


@pytest.fixture
def thumbnails(qapp: QApplication) -> Iterator[Thumbnails]:
    made = Thumbnails()
    yield made
    made.close()


def files_in(folder: Path, count: int) -> list[Path]:
    """Write sounds that are an hour old: what is just being written is not remembered."""
    paths = []
    for n in range(count):
        paths.append(folder / f"{n}.wav")
        soundfile.write(paths[-1], tone(0.1, 200.0 + 20 * n), 48_000)
        os.utime(paths[-1], (time.time() - 3600,) * 2)
    return paths


class Slow:
    """Measures sounds as ever, once it may, and notes which."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_go_on = threading.Event()
        self.measured: list[Path] = []
        self._measure: Callable[..., waveform_overview.Overview] = waveform_overview.measure_sound
        monkeypatch.setattr(waveform_overview, "measure_sound", self)

    def __call__(self, path: Path, cancel: threading.Event | None = None) -> waveform_overview.Overview:
        assert threading.current_thread() is not threading.main_thread()
        self.measured.append(path)
        while not self.may_go_on.wait(0.01) and not (cancel is not None and cancel.is_set()):
            pass
        return self._measure(path, cancel)


def test_what_was_asked_for_last_comes_first(
    thumbnails: Thumbnails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    slow, paths, ready = Slow(monkeypatch), files_in(tmp_path, 6), list[Path]()
    thumbnails.ready.connect(ready.append)
    thumbnails.prefetch_waveforms(paths)
    qtbot.waitUntil(lambda: slow.measured == paths[:1])
    thumbnails.request(paths[3])
    thumbnails.request(paths[5])
    thumbnails.request(paths[3])
    slow.may_go_on.set()
    qtbot.waitUntil(lambda: len(ready) == 6)
    assert [path.name[0] for path in ready] == ["0", "3", "5", "1", "2", "4"]
    assert slow.measured == ready  # each once
    found = thumbnails.peaks(paths[5])
    assert found is not None
    assert found.dtype == np.float32
    assert found.shape == (waveform_overview.BINS, 2)


def test_the_next_start_finds_them_on_the_disk(
    thumbnails: Thumbnails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    paths = files_in(tmp_path, 3)
    thumbnails.prefetch_waveforms(paths)
    qtbot.waitUntil(lambda: all(thumbnails.peaks(path) is not None for path in paths))
    thumbnails.close()
    slow = Slow(monkeypatch)
    slow.may_go_on.set()
    again = Thumbnails()
    again.request(paths[1])
    again.prefetch_waveforms(paths)
    qtbot.waitUntil(lambda: all(again.peaks(path) is not None for path in paths))
    assert slow.measured == []
    for path in paths:
        np.testing.assert_array_equal(again.peaks(path), thumbnails.peaks(path))
    again.close()


def test_a_file_that_changed_is_drawn_anew(thumbnails: Thumbnails, tmp_path: Path, qtbot: QtBot) -> None:
    (path,) = files_in(tmp_path, 1)
    ready: list[Path] = []
    thumbnails.ready.connect(ready.append)
    thumbnails.request(path)
    qtbot.waitUntil(lambda: len(ready) == 1)
    before = thumbnails.overview(path)
    soundfile.write(path, 3 * tone(0.3, 100.0), 48_000)
    thumbnails.prefetch_waveforms([path])
    qtbot.waitUntil(lambda: len(ready) == 2)
    after = thumbnails.overview(path)
    assert before is not None
    assert after is not None
    assert after.peak_dbfs > before.peak_dbfs + 9


def test_a_file_that_cannot_be_read_is_asked_for_once(
    thumbnails: Thumbnails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    slow = Slow(monkeypatch)
    slow.may_go_on.set()
    bad, (good,) = tmp_path / "bad.wav", files_in(tmp_path, 1)
    bad.write_text("no sound")
    thumbnails.request(bad)
    thumbnails.request(good)
    qtbot.waitUntil(lambda: thumbnails.peaks(good) is not None and len(slow.measured) == 2)
    qtbot.waitUntil(lambda: bad in thumbnails._overviews)
    for _ in range(3):
        thumbnails.request(bad)  # as each painting of the row does
    thumbnails.prefetch_waveforms([])
    qtbot.wait(30)
    assert slow.measured.count(bad) == 1
    assert thumbnails.peaks(bad) is None


def test_closing_does_not_wait_for_all_the_others(
    thumbnails: Thumbnails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    slow, paths = Slow(monkeypatch), files_in(tmp_path, 4)
    thumbnails.prefetch_waveforms(paths)
    qtbot.waitUntil(lambda: len(slow.measured) == 1)
    thumbnails.close()
    assert len(slow.measured) == 1
    thumbnails.request(paths[2])  # a last painting: nothing begins any more
    qtbot.wait(30)
    assert len(slow.measured) == 1
