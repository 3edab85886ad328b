"""Measurements, by hand: ``pytest -m benchmark tests/benchmarks -s``.

They print medians and ratios within one run, because the machines that they run on are shared and noisy.
``DISTILL_BENCH_SOUNDS`` names a folder of sounds to measure on; without it the demo sounds are used.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.audio.corpus import find_sound_files
from distill.audio.demo import write_demo_sounds

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
