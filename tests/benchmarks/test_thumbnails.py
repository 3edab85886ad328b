"""How soon a folder of 500 sounds can be worked with, and is drawn.  By hand: ``pytest -m benchmark -s``."""

import os
import shutil
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QElapsedTimer, QTimer
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from distill.audio.cache.waveform_overview import BINS
from distill.gui.sounds.model import ROW_ROLE
from distill.gui.window.main_window import MainWindow
from tests.benchmarks.conftest import Report

pytestmark = pytest.mark.benchmark

COUNT = 500


@pytest.fixture
def folder(bench_sounds: list[Path], tmp_path: Path) -> Path:
    """Five hundred files: the sounds to measure on, copied over and over, as files that are an hour old."""
    made = tmp_path / "five hundred"
    made.mkdir()
    an_hour_ago = time.time() - 3600
    for n in range(COUNT):
        source = bench_sounds[n % len(bench_sounds)]
        copy = made / f"{n:03} {source.name}"
        shutil.copyfile(source, copy)
        os.utime(copy, (an_hour_ago + n, an_hour_ago + n))
    return made


def first_rows_are_drawn(window: MainWindow) -> bool:
    view = window.browser.view
    rows = range(view.rowAt(0), max(0, view.rowAt(view.viewport().height() - 1)) + 1)
    paths = [window.browser.view.model().index(r, 0).data(ROW_ROLE).path for r in rows]
    return bool(paths) and all(window.thumbnails.peaks(path) is not None for path in paths)


@pytest.mark.parametrize("start", ["first", "second"])
def test_five_hundred_sounds(window: MainWindow, folder: Path, qtbot: QtBot, report: Report, start: str) -> None:
    if start == "second":  # the cache knows them
        window.open_folder(folder)
        qtbot.waitUntil(lambda: all(row.peak_dbfs is not None for row in window.browser.table.rows[:COUNT])
                        and len(window.browser.table.rows) == COUNT, timeout=120_000)  # fmt: skip
        window.thumbnails._overviews.clear()
    clock, late = QElapsedTimer(), list[float]()
    ticks = QTimer(interval=5)
    before = [time.perf_counter()]

    def on_tick() -> None:
        now = time.perf_counter()
        late.append(1000 * (now - before[0]) - 5)
        before[0] = now

    ticks.timeout.connect(on_tick)
    clock.start()
    worked = time.process_time()
    ticks.start()
    before[0] = time.perf_counter()
    if start == "second":
        window.browser.table.set_sounds([], [])
    window.open_folder(folder)
    qtbot.waitUntil(lambda: len(window.browser.table.rows) == COUNT, timeout=60_000)
    listed = clock.elapsed() / 1000
    qtbot.waitUntil(lambda: first_rows_are_drawn(window), timeout=60_000)
    visible = clock.elapsed() / 1000
    paths = [row.path for row in window.browser.table.rows]
    qtbot.waitUntil(lambda: all(window.thumbnails.peaks(p) is not None for p in paths), timeout=120_000)
    drawn, worked = clock.elapsed() / 1000, time.process_time() - worked
    qtbot.waitUntil(lambda: not window.sounds.scanner.is_busy, timeout=300_000)
    checked = clock.elapsed() / 1000
    ticks.stop()
    report(
        f"{start} time: {COUNT} sounds listed after {listed:.2f} s, those on the screen drawn after {visible:.2f} s, "
        f"all after {drawn:.2f} s ({worked:.1f} s of CPU, most of the decoding for the training among it), "
        f"all decoded after {checked:.2f} s; "
        f"event loop late by {sorted(late)[len(late) * 99 // 100]:.0f} ms (p99), {max(late):.0f} ms (worst)"
    )
    assert listed < 1.0
    assert drawn < 10.0
    typing(window, report)


def typing(window: MainWindow, report: Report) -> None:
    """Measure what one keystroke in the filter, and one excluded sound, cost the window."""
    field, view = window.browser.filter, window.browser.view
    field.setFocus()
    seconds = []
    for letter in "12":
        worked = time.process_time()
        QTest.keyClicks(field, letter)
        view.viewport().repaint()
        seconds.append(time.process_time() - worked)
    field.clear()
    worked = time.process_time()
    window.sounds.exclusions.choose([window.browser.table.rows[7].path], True)
    view.viewport().repaint()
    report(
        f"a letter in the filter {1000 * max(seconds):.1f} ms of CPU, excluding a sound "
        f"{1000 * (time.process_time() - worked):.1f} ms of CPU, {BINS} peaks each"
    )
    window.sounds.exclusions.undo_stack.undo()
