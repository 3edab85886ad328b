"""The log file, and the one reporter of unexpected errors.

`start` opens a rotating log under `distill.paths.log_dir` and catches errors that would otherwise be lost: those that
leave the main thread, any other thread or a destructor, and crashes of native code.  Each goes through `report`, which
writes its traceback to the log and passes a `Report` to the observers.  The window subscribes once it is on screen;
reports that came before are kept for it.  Nothing here knows the window, so the terminal uses the same.

Errors that a user can act on (`distill.errors.DistillError`) are normally shown where they happen.
"""

import faulthandler
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from distill import paths
from distill.errors import DistillError

LOG_BYTES = 1_000_000
LOG_FILES = 4
#: Most reports that are kept while there is no observer: an error in a timer comes sixty times a second.
KEPT_REPORTS = 50

log = logging.getLogger("distill")


@dataclass(frozen=True)
class Report:
    """An error that was not handled where it happened.

    Attributes
    ----------
    summary
        Type and message on one line.
    details
        The whole traceback.
    origin
        Where it was caught: a thread's name, or what was being destroyed.
    is_expected
        Whether a user can act on it; ``summary`` is then its sentence.
    """

    summary: str
    details: str
    origin: str
    is_expected: bool = False


Observer = Callable[[Report], None]

_lock = threading.RLock()
_observers: list[Observer] = []
_kept: list[Report] = []
_crash_file: IO[str] | None = None
#: The hooks before `start`.
_hooks_before: tuple[Any, Any, Any] | None = None


class _LogHandler(RotatingFileHandler):
    """Writes the log; that it cannot be written, as on a full disk, is told once."""

    _is_told = False

    def doRollover(self) -> None:
        """Begin a new file; where another process holds this one, which Windows does not rename, go on with it."""
        try:
            super().doRollover()
            self.maxBytes = LOG_BYTES
        except PermissionError:
            self.maxBytes += LOG_BYTES  # not at each line, because the older files are renamed before
            if self.stream is None:
                self.stream = self._open()

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._is_told:
            self._is_told = True
            print(f"distill: the log cannot be written ({error.strerror or error}).", file=sys.stderr)


#: In place of the log where there is none: logging prints whole tracebacks otherwise.
_no_log = logging.NullHandler()


def log_file() -> Path:
    """Return the path of the newest log file."""
    return paths.log_dir() / "distill.log"


def start() -> None:
    """Open the log and catch uncaught errors from here on; a second call does nothing.

    Where the log cannot be written (full disk, no permission), errors go to standard error only.
    """
    global _crash_file, _hooks_before
    if _hooks_before is not None:
        return
    _hooks_before = sys.excepthook, threading.excepthook, sys.unraisablehook
    log.setLevel(logging.INFO)
    try:
        paths.log_dir().mkdir(parents=True, exist_ok=True)
        handler = _LogHandler(
            log_file(), maxBytes=LOG_BYTES, backupCount=LOG_FILES - 1, encoding="utf-8", delay=True,
            errors="backslashreplace",  # names that are no UTF-8
        )  # fmt: skip
        handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(threadName)s %(levelname)s %(message)s"))
        _crash_file = (paths.log_dir() / "crash.log").open("a", encoding="utf-8")
        log.addHandler(handler)
        faulthandler.enable(_crash_file)
    except OSError as error:
        print(f"distill: no log is kept, {paths.log_dir()} cannot be written to: {error}", file=sys.stderr)
        log.addHandler(_no_log)
    sys.excepthook = _on_main_error
    threading.excepthook = _on_thread_error
    sys.unraisablehook = _on_unraisable_error


def stop() -> None:
    """Undo `start`: close the files, forget reports and observers, and give the hooks back."""
    global _crash_file, _hooks_before
    if _hooks_before is not None:
        sys.excepthook, threading.excepthook, sys.unraisablehook = _hooks_before
        _hooks_before = None
    for handler in [h for h in log.handlers if isinstance(h, RotatingFileHandler)]:
        log.removeHandler(handler)
        with suppress(OSError):
            handler.close()
    log.removeHandler(_no_log)
    if _crash_file is not None:
        faulthandler.disable()
        _crash_file.close()
        _crash_file = None
    with _lock:
        _observers.clear()
        _kept.clear()


def report(error: BaseException, origin: str | None = None, *, is_expected: bool | None = None) -> Report:
    """Write an error to the log and pass it to the observers, or keep it until there is one.

    Parameters
    ----------
    error
        What was raised.
    origin
        Where it was caught; by default the name of the calling thread.
    is_expected
        Whether a user can act on it; by default that holds for a `DistillError`.

    Returns
    -------
    Report
        What the observers got.
    """
    if is_expected is None:
        is_expected = isinstance(error, DistillError)
    summary = str(error) if is_expected else "".join(traceback.format_exception_only(error))
    new_report = Report(
        summary=summary.strip().replace("\n", " "),
        details="".join(traceback.format_exception(error)),
        origin=origin or threading.current_thread().name,
        is_expected=is_expected,
    )
    log.error("%s: %s", new_report.origin, new_report.details)
    with _lock:
        observers = list(_observers)
        if not observers and len(_kept) < KEPT_REPORTS:
            _kept.append(new_report)
    for observer in observers:
        _emit(observer, new_report)
    return new_report


def subscribe(observer: Observer) -> Callable[[], None]:
    """Call ``observer`` with each report from now on, first with those that were kept; return what ends that.

    Observers are called on the thread that reports: one that shows widgets must pass the report on to its own.
    """
    with _lock:
        waiting = list(_kept)
        _kept.clear()
        _observers.append(observer)
    for report in waiting:
        _emit(observer, report)

    def unsubscribe() -> None:
        with _lock:
            if observer in _observers:
                _observers.remove(observer)

    return unsubscribe


def _emit(observer: Observer, found: Report) -> None:
    """Call an observer; one that fails must neither hide the error nor be called with its own for ever."""
    try:
        observer(found)
    except Exception:  # boundary: the display of errors is broken itself, so only the log is left
        log.exception("an observer of error reports failed")


def _on_main_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _echo(report(error.with_traceback(trace)))


def _on_thread_error(caught: threading.ExceptHookArgs) -> None:
    if caught.exc_value is None or issubclass(caught.exc_type, SystemExit):
        return
    _echo(report(caught.exc_value, caught.thread.name if caught.thread else None))


def _on_unraisable_error(caught: "sys.UnraisableHookArgs") -> None:
    if caught.exc_value is not None:
        _echo(report(caught.exc_value, f"{caught.err_msg or 'while destroying'} {caught.object!r}"))


def _echo(found: Report) -> None:
    """Print the error on standard error too, if there is one (a windowed program on Windows has none)."""
    if sys.stderr is not None:
        print(f"{found.details}The log is {log_file()}{os.linesep}", end="", file=sys.stderr)
