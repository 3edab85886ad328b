"""Ctrl-C at any moment from the first line of the program to its last: the real signal in a real process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from distill.process.stop_signals import EXIT_STOPPED

#: Runs before the program and interrupts it once, when a module is looked for.
HOOK = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)

class Moment:
    is_over = False

    def find_spec(self, name, path=None, target=None):
        if name == {moment!r} and not self.is_over:
            self.is_over = True
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Moment())
"""
#: Interrupts the program when it has done its work, and all is taken down.
AT_EXIT = """
import atexit, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
atexit.register(signal.raise_signal, signal.SIGINT)
"""
MOMENTS = [
    "multiprocessing", "distill.process.environment", "distill.distributed",
    "distill.distributed.torchrun", "distill.cli", "distill.cli.app", "typer",
    "distill.cli.library", "distill.housekeeping", "distill.library.model_library",
]  # fmt: skip


def run(tmp_path: Path, hook: str, *words: str) -> "subprocess.CompletedProcess[str]":
    (tmp_path / "sitecustomize.py").write_text(hook)
    return subprocess.run(
        [sys.executable, "-m", "distill", *words], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_command_is_stopped_while_it_is_loaded(moment: str, tmp_path: Path) -> None:
    done = run(tmp_path, HOOK.format(moment=moment), "models", "list")
    assert (done.returncode, done.stdout, done.stderr.strip()) == (EXIT_STOPPED, "", "")


def test_the_program_is_stopped_when_it_has_done_its_work(tmp_path: Path) -> None:
    done = run(tmp_path, AT_EXIT, "models", "list")
    assert done.returncode == 0
    assert done.stdout.startswith("0 models in ")
    assert done.stderr == ""
