"""Measurements, by hand: ``pytest -m benchmark tests/benchmarks -s``.

They print medians and ratios within one run, because the machines that they run on are shared and noisy.
``DISTILL_BENCH_SOUNDS`` names a folder of sounds to measure on; without it the demo sounds are used.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from distill.audio.demo.demo_sounds import write_demo_sounds
from distill.audio.sound_scan import find_sound_files
from distill.gui.window.main_window import MainWindow
from distill.process.interpreter import set_switch_interval
from tests.gui.conftest import make_window
from tests.gui.fakes import FakeDevice, FakeEngine
from tests.support.screen import Screen

Report = Callable[..., None]


@pytest.fixture
def bench_sounds(tmp_path: Path) -> list[Path]:
    """Sounds to measure on, copied so that nothing of the measurement touches them."""
    folder = os.environ.get("DISTILL_BENCH_SOUNDS")
    if not folder:
        return write_demo_sounds(tmp_path / "demo")
    copies = tmp_path / "sounds"
    copies.mkdir()
    return [Path(shutil.copy(path, copies)) for path in find_sound_files([Path(folder)])]


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Report:
    """Print a line past pytest's capture."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}", end="")

    return say


@pytest.fixture
def window(xvfb: Screen, qapp: QApplication, qtbot: QtBot) -> Iterator[MainWindow]:
    """The window on a real screen, as the application sets it up; nothing is trained or played."""
    set_switch_interval()
    made = make_window(qtbot, FakeEngine(), FakeDevice())
    yield made
    made.quit_now()
    qtbot.waitUntil(lambda: not made.isVisible(), timeout=60_000)
    made.deleteLater()
