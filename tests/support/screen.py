"""A real X screen (Xvfb) for tests that show a window."""

import atexit
import os
import select
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import find_program, start_helper, stop_helper

START_SECONDS = 20


@dataclass(frozen=True)
class Screen:
    """An X screen of its own.  ``DISPLAY`` and ``QT_QPA_PLATFORM`` are set for this process and its children."""

    display: str
    width: int = 1600
    height: int = 1000

    def screenshot(self, path: Path) -> Path:
        """Write what the screen shows to an image file; its format follows the name's ending."""
        program = find_program("import", "imagemagick")
        subprocess.run([program, "-display", self.display, "-window", "root", str(path)], check=True, timeout=30)
        return path

    def xdotool(self, *arguments: str) -> str:
        """Run xdotool (mouse, keyboard, windows) on this screen and return what it prints."""
        program = find_program("xdotool", "xdotool")
        done = subprocess.run(
            [program, *arguments], check=True, timeout=30, capture_output=True, text=True,
            env={**os.environ, "DISPLAY": self.display},
        )  # fmt: skip
        return done.stdout.strip()


def start_screen() -> Screen:
    """Start Xvfb on a free display number and point Qt at it.

    The server outlives the session's fixtures on purpose: Qt ends the whole process when its X server goes away
    before its application object does, and that object lives until the interpreter's exit handlers have run.
    Handlers run last in, first out, and PySide6 is imported after this module, so its handler runs first.
    """
    program = find_program("Xvfb", "xvfb")
    screen = Screen(display="")
    reader, writer = os.pipe()
    geometry = f"{screen.width}x{screen.height}x24"
    process = start_helper(
        [program, "-displayfd", str(writer), "-screen", "0", geometry, "-nolisten", "tcp", "-noreset"],
        pass_fds=(writer,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    atexit.register(stop_helper, process)
    with os.fdopen(reader, "rb") as answer:
        ready, _, _ = select.select([answer], [], [], START_SECONDS)
        number = answer.readline().decode().strip() if ready else ""
    if not number:
        stop_helper(process)
        raise RuntimeError(f"Xvfb did not start within {START_SECONDS} s")
    os.environ.update({"DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"})
    return Screen(display=f":{number}")
