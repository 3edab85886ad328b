"""Ctrl-C and the other signals that end a program: the first asks it to stop, the second ends it."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

#: Signals that end a program: Ctrl-C, ``kill``, a closed terminal, and Ctrl-Break on Windows.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
EXIT_STOPPED = 130
_SHOW_CURSOR = b"\x1b[?25h"


@contextmanager
def stop_on_signal(message: str, is_patient: bool = False) -> Iterator[threading.Event]:
    """Yield an event that the first signal sets; the second signal ends the process at once.

    Files are written whole or not at all, so ending the process does not damage a run.  Must be entered on the main
    thread.

    Parameters
    ----------
    message
        Printed on standard error at the first signal; nothing is where it is empty.
    is_patient
        Whether further signals do nothing: torchrun passes each signal on, its own and that of the terminal.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        # os.write, because print is not allowed here: the signal may interrupt another print.
        with suppress(OSError):
            if stop.is_set() and sys.__stdout__ is not None and sys.__stdout__.isatty():
                os.write(1, _SHOW_CURSOR)  # a progress bar hides it
            elif message and not stop.is_set():
                os.write(2, f"\n{message}\n".encode())
        if stop.is_set() and not is_patient:
            os._exit(EXIT_STOPPED)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
