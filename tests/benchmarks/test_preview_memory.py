"""What 500 previews cost: memory, coming in one by one, drawing, walking.  By hand: ``pytest -m benchmark -s``."""

import gc
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from distill.audio.export import write_wav
from distill.gui.window.main_window import MainWindow
from distill.runs.preview_files import PreviewSound, find_previews
from tests.benchmarks.conftest import Report

pytestmark = pytest.mark.benchmark

EPOCHS, SAMPLES, PAIRS = 100, 3, 2
MOST_GROWTH_MB = 150


def write_previews(folder: Path) -> list[Path]:
    """Write what a run of 100 previewed epochs leaves, 1 s each; return those that are told, in their order."""
    rng = np.random.default_rng(0)
    fade = np.exp(-np.arange(48_000) / 9600)
    told = []
    for epoch in range(EPOCHS):
        names = [f"preview_epoch{epoch:04}_{n:02}.wav" for n in range(SAMPLES)]
        names += [f"recon_epoch{epoch:04}_{part}_{n:02}.wav" for n in range(PAIRS) for part in ("orig", "recon")]
        for name in names:
            write_wav(folder / name, (0.3 * rng.standard_normal(48_000) * fade).clip(-1, 1).astype(np.float32))
        told += [folder / name for name in names if "_orig_" not in name]
    return told


def memory_mb() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 2**20


def milliseconds_since(start: float) -> float:
    return 1000 * (time.perf_counter() - start)


def test_memory_over_500_previews(window: MainWindow, tmp_path: Path, qtbot: QtBot, report: Report) -> None:
    folder = tmp_path / "previews"
    folder.mkdir()
    told = write_previews(folder)
    panel, view = window.previews, window.previews.view
    qtbot.wait(500)
    before = memory_mb()
    adding = []
    for number, path in enumerate(told):
        start = time.perf_counter()
        panel.add(path)
        adding.append(milliseconds_since(start))
        if number % (SAMPLES + PAIRS) == 0:
            QApplication.processEvents()
    panel.thumbnails.prefetch_waveforms(told)
    qtbot.waitUntil(lambda: all(panel.thumbnails.peaks(path) is not None for path in told), timeout=300_000)
    view.setCurrentIndex(view.model().index(0, 0))
    view.setFocus()
    walking = []
    for _ in range(EPOCHS - 1):  # all are drawn, and each is asked to play
        start = time.perf_counter()
        QTest.keyClick(view, Qt.Key.Key_Down)
        view.viewport().repaint()
        walking.append(milliseconds_since(start))
    qtbot.wait(500)
    growth = memory_mb() - before
    start = time.perf_counter()
    panel.show_previews([])
    panel.show_previews(find_previews(folder))
    reopening = milliseconds_since(start)
    drawing = []
    for _ in range(20):
        start = time.perf_counter()
        view.viewport().repaint()
        drawing.append(milliseconds_since(start))
    assert panel.grid.sound_count == len(told) == EPOCHS * (SAMPLES + PAIRS)
    assert all(PreviewSound.from_path(path) for path in told)
    report(f"500 previews: {growth:.1f} MB more memory (aim: under {MOST_GROWTH_MB})")
    report(f"adding one: median {np.median(adding):.2f} ms, worst {max(adding):.1f} ms")
    report(f"one step down and drawing: median {np.median(walking):.1f} ms, worst {max(walking):.1f} ms")
    report(f"drawing all cells in sight: median {np.median(drawing):.1f} ms; showing a run of 500: {reopening:.0f} ms")
    assert growth < MOST_GROWTH_MB
