"""What every test stands on: a home, a screen and a sound card of its own, and nothing left running behind it."""

import functools
import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pytestqt.qtbot import QtBot

from distill import diagnostics
from tests.support import leaks
from tests.support.screen import Screen, start_screen
from tests.support.sound_card import NullSink, restart_portaudio

#: No test may open a window on the developer's own desktop, or play through their loudspeakers by accident.
_DESKTOP_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "QT_STYLE_OVERRIDE", "QT_SCALE_FACTOR", "PULSE_SERVER")

#: Milliseconds that a wait for the window may take before a test fails.
PATIENCE = 120_000


def pytest_configure(config: pytest.Config) -> None:
    """Cut the ties to the user's desktop and folders before anything of Distill or Qt is imported."""
    gc.disable()  # a training thread must not come to destroy a test's widgets: see `distill.gui.window.gc_timer`
    for name in _DESKTOP_VARIABLES:
        os.environ.pop(name, None)
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    os.environ["PYTHONUNBUFFERED"] = "1"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process that a test starts would compile all modules
    os.environ.setdefault(
        "GOMP_SPINCOUNT", "1000"
    )  # as `distill.process.environment.limit_spinning`: the tests share the machine
    if hasattr(config, "workerinput"):  # one of several processes, each of which has about one core
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _session_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where session fixtures write: never the user's own folders."""
    os.environ["DISTILL_HOME"] = str(tmp_path_factory.mktemp("session-home"))


@pytest.fixture(scope="session", autouse=True)
def _no_flushing() -> Iterator[None]:
    """Do not wait for the disk at each written file: no test pulls the plug."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _file: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """Let no wait of pytest-qt end before `PATIENCE`: on a busy machine, moments become many seconds."""

    def patient(wait: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(wait)
        def longer(*arguments: Any, timeout: int = PATIENCE, **named: Any) -> Any:
            return wait(*arguments, timeout=max(timeout, PATIENCE), **named)

        return longer

    with pytest.MonkeyPatch.context() as patch:
        for name in ("waitUntil", "waitSignal", "waitExposed", "waitActive"):
            patch.setattr(QtBot, name, patient(getattr(QtBot, name)))
        yield


@pytest.fixture(autouse=True)
def distill_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder that `distill.paths` keeps everything under, new and empty for each test, outside its ``tmp_path``."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("DISTILL_HOME", str(home))
    yield home
    diagnostics.stop()  # a test may have opened the log, which lies in this folder


@pytest.fixture(autouse=True)
def _nothing_left_running(request: pytest.FixtureRequest, distill_home: Path) -> Iterator[None]:
    """Fail a test that leaves a thread, a child process, or (with Qt) a timer, thread or window behind."""
    leaks.set_modules_aside()
    threads, children = leaks.running_threads(), leaks.running_children()
    yield
    found = leaks.left_over(threads, children)
    if "qapp" in request.fixturenames:
        found += leaks.qt_left_over()
    leaks.collect_garbage()
    if found:
        pytest.fail("left running: " + "; ".join(found))


@pytest.fixture(scope="session")
def xvfb() -> Screen:
    """A real X screen, started once, on the first test that asks for it or for ``qapp`` or ``qtbot``.

    From then on ``DISPLAY`` and ``QT_QPA_PLATFORM=xcb`` are set, so that this process's windows and those of child
    processes appear on it; ``screenshot`` and ``xdotool`` of the returned `Screen` look at it and touch it.
    There is no window manager: a window sits where it asks to, in its own size, without a frame, and gets the
    keyboard focus through ``activateWindow``.  Only on Linux; elsewhere a test that asks for it is skipped.
    """
    if sys.platform != "linux":
        pytest.skip("Xvfb belongs to Linux")
    return start_screen()


@pytest.fixture(scope="session")
def qapp_args(request: pytest.FixtureRequest) -> list[str]:
    """Put pytest-qt's application on Xvfb where there is Xvfb, on Qt's own offscreen platform otherwise."""
    if sys.platform == "linux":
        request.getfixturevalue("xvfb")
    return ["distill-tests"]


@pytest.fixture(scope="session")
def null_sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NullSink]:
    """A sound card that can be listened to; PortAudio's default device plays to it, also in child processes.

    ``with null_sink.recording() as take: ...`` records what is played meanwhile into ``take.audio`` (float32, mono,
    48 kHz, ``[N]``); ``null_sink.record(seconds)`` records for a while.  A player that was open before the fixture
    must open its stream again.
    """
    if sys.platform != "linux":
        pytest.skip("the null sink needs PulseAudio")
    with pytest.MonkeyPatch.context() as patch:
        sink = NullSink(tmp_path_factory.mktemp("pulse"))
        for name, value in sink.environment.items():
            patch.setenv(name, value)
        restart_portaudio()
        yield sink
        sink.stop()
    restart_portaudio()


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A folder of four sounds: decaying tones of half a second."""
    folder = tmp_path / "bells"
    folder.mkdir()
    t = np.arange(24_000) / 48_000
    for n in range(1, 5):
        tone = 0.5 * np.sin(2 * np.pi * 220 * n * t) * np.exp(-6 * t)
        soundfile.write(folder / f"bell {n}.wav", tone, 48_000)
    return folder
