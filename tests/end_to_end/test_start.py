"""The program as a process of its own: asked to end while it builds its window, and started a second time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from distill.settings import WindowSettings
from tests.support.screen import Screen
from tests.support.sound_card import NullSink

#: Seconds that a busy machine may take to open or to close a window.
PATIENCE = 120


class Program:
    """A running Distill with a home of its own."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self._log = home / "log" / "distill.log"
        self._before = self.log().count("\n")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "distill", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**os.environ, "DISTILL_HOME": str(home)},
        )  # fmt: skip

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def wait_for(self, text: str) -> None:
        """Wait until the log has a line with the text, written since this process was started."""
        end = time.monotonic() + PATIENCE
        while text not in "\n".join(self.log().split("\n")[self._before :]):
            assert time.monotonic() < end, f"{text!r} has not come:\n{self.log()}"
            assert self.process.poll() is None, self.process.communicate()[0]
            time.sleep(0.01)

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what was printed."""
        output, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, output.decode(errors="replace")


@pytest.fixture
def started(distill_home: Path, xvfb: Screen, null_sink: NullSink) -> Iterator[list[Program]]:
    """Programs that are ended after the test, whatever happens in it."""
    programs: list[Program] = []
    yield programs
    for program in programs:
        if program.process.poll() is None:
            program.process.kill()
        program.process.communicate()


@pytest.mark.parametrize("delay", [0.05, 0.2, 0.5])
def test_it_closes_when_it_is_asked_to_while_it_builds_the_window(
    started: list[Program], distill_home: Path, delay: float
) -> None:
    started.append(program := Program(distill_home))
    program.wait_for("main loop reached")
    time.sleep(delay)
    program.process.send_signal(signal.SIGTERM)
    code, output = program.end()
    assert (code, output.strip()) == (0, "")
    crashes = distill_home / "log" / "crash.log"
    assert not crashes.exists() or not crashes.read_text(encoding="utf-8")


def test_a_second_start_shows_its_folder_in_the_open_window(
    started: list[Program], distill_home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bells"
    folder.mkdir()
    started.append(first := Program(distill_home))
    first.wait_for("main loop reached")
    started.append(second := Program(distill_home, str(folder)))
    assert second.end() == (0, "")
    first.process.send_signal(signal.SIGTERM)
    assert first.end()[0] == 0
    assert WindowSettings.load().sounds == [str(folder)]
    assert first.log().count("main loop reached") == 1
    assert not list((distill_home / "cache").glob("window.*"))
