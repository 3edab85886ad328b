"""Gives background threads a lower priority than the window's."""

import os
import threading
from contextlib import suppress

#: How far background threads step back for the window and for other programs (Unix "nice" scale).
BACKGROUND_NICENESS = 10


def lower_own_priority() -> None:
    """Give the calling thread, and the threads that it starts, a lower priority than the window's.

    ``QThread.start(LowPriority)`` does nothing under Linux's usual scheduler; there, a thread has a niceness of its
    own.  On other systems setpriority would change the whole process.
    """
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            niceness = max(BACKGROUND_NICENESS, os.getpriority(os.PRIO_PROCESS, thread))  # root could raise it again
            os.setpriority(os.PRIO_PROCESS, thread, niceness)
