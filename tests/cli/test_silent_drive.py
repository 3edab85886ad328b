"""Ctrl-C while sounds are looked for on a drive that does not answer, in a real process."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

_PROGRAM = """
import os, signal, sys, threading
from distill import __main__
from distill.audio import sound_scan
from distill.computing import unresponsive_drives

def wait(path):
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    threading.Event().wait()

sound_scan.read_header, unresponsive_drives.PATIENCE_S = wait, 0.3
sys.exit(__main__.main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT to send")
@pytest.mark.parametrize("command", ["train", "inspect"])
def test_ctrl_c_says_that_the_folder_does_not_answer(command: str, tmp_path: Path) -> None:
    """The threads that read wait for ever, and Python would wait for them at the end of the program."""
    folder = tmp_path / "bells"
    folder.mkdir()
    (folder / "a.wav").write_bytes(bytes(100))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_PROGRAM), command, str(folder)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert f"distill: {folder} does not answer. Stopped before a run began: nothing was changed." in done.stderr
    assert "Traceback" not in done.stderr
