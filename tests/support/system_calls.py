"""Runs a function in a forked process that is killed at its n-th system call, by the debugger's interface of Linux."""

import ctypes
import os
import resource
import signal
from collections.abc import Callable

_TRACE_ME, _TO_NEXT_CALL = 0, 24
_libc = ctypes.CDLL(None, use_errno=True)


def _ptrace(request: int, pid: int, data: int = 0) -> None:
    if _libc.ptrace(request, pid, None, ctypes.c_void_p(data)) == -1:
        raise OSError(ctypes.get_errno(), "ptrace is not allowed here")


def run_killed(work: Callable[[], object], at: int = 0) -> tuple[int, bool]:
    """Fork, run ``work``, and kill it before or after a system call.

    Parameters
    ----------
    work
        What the child does; it must start no thread.
    at
        Number of the stop, from 1; each system call has two, before and after it.  0 lets it run to its end.

    Returns
    -------
    tuple
        Number of stops, and whether the child was killed.
    """
    pid = os.fork()
    if pid == 0:
        _ptrace(_TRACE_ME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    stops, passed = 0, 0
    while True:
        _ptrace(_TO_NEXT_CALL, pid, passed)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            return stops, False
        number = os.WSTOPSIG(status)
        passed = 0 if number == signal.SIGTRAP else number
        stops += number == signal.SIGTRAP
        if stops == at:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return stops, True


def run_limited(work: Callable[[], object], largest_file: int) -> int:
    """Fork, run ``work`` with no file over ``largest_file`` bytes, and return its exit code: 3 for an `OSError`."""
    pid = os.fork()
    if pid == 0:
        code = 4
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
            work()
            code = 0
        except OSError:
            code = 3
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
