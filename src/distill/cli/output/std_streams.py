"""Standard output and error that never end the work: closed, full or gone."""

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any, TextIO

#: How the commands begin whose only result is what they print; of the self-test that is the report to send along.
_PRINTING = ("inspect", "compare", "runs", "models list", "models info", "queue list", "--version", "--selftest")


class LenientWriter(io.RawIOBase):
    """Passes bytes on until that fails; then it keeps the error and drops them.

    A pipe that nobody reads any more is told to the writer as ever: its end is a wish of the user.
    """

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self._raw = raw
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return bool(self._raw.isatty())

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        return int(self._raw.fileno())

    def write(self, data: Any) -> int:
        """Write bytes, or drop them after an error."""
        if self.error is None:
            try:
                written = self._raw.write(data)
                return len(data) if written is None else int(written)
            except BrokenPipeError:
                raise
            except OSError as exc:  # no space left, an error of the terminal
                self.error = exc
        return len(data)


def open_missing_streams() -> None:
    """Open the null device in the place of standard streams that were closed when the process began (``>&-``).

    Otherwise the next file that is opened, a model or a checkpoint, would take their place, and what libraries print
    would be written into it.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - for the whole process
            setattr(sys, name, stream)


@contextmanager
def lenient_streams() -> Iterator[LenientWriter | None]:
    """Replace the process's standard output and error by lenient ones; yields the writer of standard output."""
    with ExitStack() as stack:
        writers = [stack.enter_context(_lenient(name)) for name in ("stderr", "stdout")]
        yield writers[1]


@contextmanager
def _lenient(name: str) -> Iterator[LenientWriter | None]:
    stream: TextIO = getattr(sys, name)
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # there is no buffer with PYTHONUNBUFFERED
    is_own = stream is getattr(sys, f"__{name}__")
    if not is_own or not isinstance(raw, io.RawIOBase):  # a program that calls us has its own
        yield None
        return
    writer = LenientWriter(raw)
    wrapped = io.TextIOWrapper(
        io.BufferedWriter(writer), stream.encoding, "backslashreplace", line_buffering=stream.isatty()
    )
    setattr(sys, name, wrapped)
    try:
        yield writer
    finally:
        try:
            wrapped.flush()
        except OSError as exc:
            writer.error = exc  # what is left is dropped, also when the wrapper lets go
        setattr(sys, name, stream)
        wrapped.detach()  # the stream below belongs to the interpreter


def only_prints(words: Sequence[str]) -> bool:
    """Whether a command line has no other result than what it prints."""
    if len(words) < 2 and words[0] in ("models", "queue"):
        return True
    if {"-h", "--help", "--midi=list"}.intersection(words) or ("--midi", "list") in pairwise(words):
        return True
    if words[0] == "map":  # with --out it writes a sound
        return not any(word.startswith("--out") for word in words)
    return " ".join(words[:2]).startswith(_PRINTING)
