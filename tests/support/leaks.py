"""What a test left running: threads, processes, Qt timers and threads, windows."""

import gc
import os
import sys
import threading
import time
from collections.abc import Callable

import psutil

from tests.support.processes import SESSION_PROCESSES

#: How long something that is about to end may take.
PATIENCE_SECONDS = 3.0

#: Number of new modules from which setting them aside is worth a whole garbage collection.
_NEW_MODULES = 20
#: Number of modules that are set aside.
_aside = [0]
#: Number of garbage collections before a test.
_collections_before = [-1]

#: Python's own helper of multiprocessing, one for the whole process and ended by it.
_PYTHONS_OWN = "multiprocessing.resource_tracker"


def running_threads() -> set[threading.Thread]:
    """Return the Python threads that run now; those of Qt are found by `qt_left_over`.

    Python has a stand-in for a foreign thread that once asked who it is, and keeps it when that thread has ended.
    """
    return {t for t in threading.enumerate() if not isinstance(t, threading._DummyThread)}


def running_children() -> set[int]:
    """Return the ids of this process's descendants, without the session's helpers."""
    found = set()
    for child in psutil.Process(os.getpid()).children(recursive=True):
        try:
            ended = child.status() == psutil.STATUS_ZOMBIE
            if not ended and child.pid not in SESSION_PROCESSES and _PYTHONS_OWN not in " ".join(child.cmdline()):
                found.add(child.pid)
        except psutil.NoSuchProcess:
            continue
    return found


def left_over(threads_before: set[threading.Thread], children_before: set[int]) -> list[str]:
    """Return a line for each thread and process that was started since and does not end by itself."""

    def find() -> list[str]:
        threads = [f"thread {t.name!r}" for t in running_threads() - threads_before if t.is_alive()]
        return threads + [f"process {_describe(pid)}" for pid in running_children() - children_before]

    return _after_patience(find)


def _describe(pid: int) -> str:
    try:
        return f"{pid}: {' '.join(psutil.Process(pid).cmdline())[:200]}"
    except psutil.Error:
        return str(pid)


def collect_garbage() -> None:
    """Do between tests what the garbage collection, which is switched off meanwhile, would do in their middle."""
    for generation in (2, 1, 0):
        if gc.get_count()[generation] > gc.get_threshold()[generation]:
            gc.collect(generation)
            return


def set_modules_aside() -> None:
    """Take what was imported since the last call out of the garbage collection, and out of the search of `_find_qt`.

    Modules are nine tenths of all objects, and looking through them took a quarter of the time of a test of the window.
    """
    if len(sys.modules) - _aside[0] >= _NEW_MODULES:
        gc.collect()
        gc.freeze()
        _aside[0] = len(sys.modules)
    _collections_before[0] = _collections()


def qt_left_over() -> list[str]:
    """Return a line for each Qt timer and thread that still runs, and for each window that is still shown."""
    if "PySide6.QtCore" not in sys.modules:
        return []
    return _after_patience(_find_qt)


def _find_qt() -> list[str]:
    import shiboken6
    from PySide6.QtCore import QCoreApplication, QEvent, QThread, QTimer
    from PySide6.QtWidgets import QApplication

    app = QCoreApplication.instance()
    if app is None:
        return []
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    app.processEvents()
    found = []
    objects = _recent_objects()
    kinds = {kind for kind in set(map(type, objects)) if issubclass(kind, (QTimer, QThread))}
    for thing in objects:
        if type(thing) not in kinds or not shiboken6.isValid(thing):
            continue
        if isinstance(thing, QTimer) and thing.isActive():
            found.append(f"QTimer {thing.objectName()!r} of {thing.parent()!r}")
        elif isinstance(thing, QThread) and thing.isRunning() and thing is not app.thread():
            found.append(f"QThread {thing.objectName()!r}")
    if isinstance(app, QApplication):
        found += [f"window {w!r}" for w in QApplication.topLevelWidgets() if w.isVisible()]
    return found


def _recent_objects() -> list[object]:
    """Return the objects that were created since the last garbage collection between tests, or more.

    Automatic collections are off.  Where there was one nevertheless, the objects of a test can lie in any generation.
    """
    newest = gc.get_objects(generation=0)
    return newest if _collections() == _collections_before[0] else gc.get_objects()


def _collections() -> int:
    return sum(generation["collections"] for generation in gc.get_stats())


def _after_patience(find: Callable[[], list[str]]) -> list[str]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := find()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
