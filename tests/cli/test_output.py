"""Standard streams that are closed, full or gone never end the work."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from distill.cli.output.std_streams import LenientWriter, only_prints

needs_shell = pytest.mark.skipif(sys.platform == "win32", reason="redirections of a Unix shell")


def run(tmp_path: Path, words: str) -> "subprocess.CompletedProcess[str]":
    code = "import sys; from distill.cli.app import main; sys.exit(main(sys.argv[1:]))"
    command = f'exec "$0" -c "$1" {words}'
    return subprocess.run(
        ["sh", "-c", command, sys.executable, code], capture_output=True, text=True,
        env=os.environ | {"DISTILL_HOME": str(tmp_path / "home")},
    )  # fmt: skip


FULL = "distill: what was to be printed could not be written (No space left on device).\n"
#: Redirections, the exit code, and what is said on standard error.
STREAMS = [
    ("models list >&-", 0, ""),
    ("models list <&- >&- 2>&-", 0, ""),
    ("models list 2>&-", 0, ""),
    ("models list 2>/dev/full", 0, ""),
    ("models list >/dev/full", 1, FULL),
    ("queue list >/dev/full", 1, FULL),
    ("--version train >/dev/full", 1, FULL),
    ("train --help >/dev/full", 1, FULL),
    ("models list --json >/dev/full", 0, ""),  # nothing was to be printed
    ("models info nothing >/dev/full 2>/dev/full", 2, ""),
    ("models info nothing >&-", 2, "distill: There is no model 'nothing' in the library. See: distill models list\n"),
]


@needs_shell
@pytest.mark.parametrize(("words", "code", "said"), STREAMS)
def test_streams_that_are_closed_or_full(tmp_path: Path, words: str, code: int, said: str) -> None:
    if "/dev/full" in words and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = run(tmp_path, words)
    assert (done.returncode, done.stderr) == (code, said)


ONLY_PRINT = ["--help", "--version", "--version train", "--selftest", "--selftest train", "inspect a", "compare a b",
              "runs list", "runs show a", "models list --json",
              "models", "models info a", "queue list", "map a --json", "train --help", "models rename -h",
              "play --midi list a", "play a --midi=list"]  # fmt: skip
ALSO_ACT = ["train a --json", "sample a", "models import a", "models rename a b", "models delete a", "models restore a",
            "models export a b", "queue add a", "queue run", "map a --at 0,0 --out b", "play a"]  # fmt: skip


@pytest.mark.parametrize("words", [*ONLY_PRINT, *ALSO_ACT])
def test_only_what_is_there_to_be_printed_fails_when_it_cannot_be(words: str) -> None:
    """What was done is not called a failure because it could not be told."""
    assert only_prints(words.split()) == (words in ONLY_PRINT)


@needs_shell
def test_a_closed_stream_is_not_taken_by_a_file(tmp_path: Path) -> None:
    """Otherwise what libraries print would be written into the first file that is opened."""
    code = (
        "import os, sys; from distill.cli.output.std_streams import open_missing_streams; open_missing_streams();"
        f"h = os.open({str(tmp_path / 'a')!r}, os.O_CREAT | os.O_WRONLY); os.write(1, b'x'); os._exit(h > 2)"
    )
    command = 'exec "$0" -c "$1" <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", command, sys.executable, code]).returncode == 1
    assert (tmp_path / "a").read_bytes() == b""


class Failing(io.RawIOBase):
    def __init__(self, error: OSError) -> None:
        self._error = error

    def write(self, data: Any) -> int:
        raise self._error


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EBADF, errno.EDQUOT])
def test_a_writer_that_fails_drops_what_comes(number: int) -> None:
    writer = LenientWriter(Failing(OSError(number, os.strerror(number))))
    assert [writer.write(b"abc"), writer.write(b"de")] == [3, 2]
    assert writer.error is not None
    assert writer.error.errno == number


def test_a_pipe_that_nobody_reads_is_told() -> None:
    with pytest.raises(BrokenPipeError):
        LenientWriter(Failing(BrokenPipeError(errno.EPIPE, "gone"))).write(b"x")
