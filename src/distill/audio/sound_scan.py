"""Turns files and folders into a list of sounds, and a list of what is skipped with the reasons.

There are two passes: `scan_sounds` reads headers only, so that a folder of 500 files is listed at once; `check_sounds`
decodes everything into the cache in the background, and finds what a header does not show (silence, NaN, damage).
No torch here: the window lists sounds before torch is imported.
"""

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from distill.audio.decoding.access_errors import link_reason
from distill.audio.decoding.open_sound import read_header
from distill.audio.file_search import find_sound_files, path_order
from distill.audio.scan_result import ScanResult, SkippedSound, SoundEntry
from distill.audio.waveform_peaks import waveform_peaks
from distill.errors import Cancelled, SoundError
from distill.paths import RUN_MARKER

if TYPE_CHECKING:
    from distill.audio.cache.sound_cache import SoundCache

__all__ = [
    "RUN_MARKER", "ScanResult", "SkippedSound", "SoundEntry",
    "check_sounds", "find_sound_files", "scan_sounds", "waveform_peaks",
]  # fmt: skip

_HEADER_WORKERS = 8  # they wait for the disk more than they compute
T = TypeVar("T")
R = TypeVar("R")


def scan_sounds(
    paths: Iterable[Path | str],
    on_progress: Callable[[int, int], None] | None = None,
    cancel_event: threading.Event | None = None,
) -> ScanResult:
    """Find sounds and read their headers, several at once.

    Parameters
    ----------
    paths
        Files and folders, mixed.
    on_progress
        Called in the caller's thread with the number of headers read and of all files.
    cancel_event
        Ends the scan early.

    Raises
    ------
    Cancelled
        ``cancel_event`` was set.
    """
    skipped: list[SkippedSound] = []
    passed_over: Counter[str] = Counter()
    files = find_sound_files(paths, skipped, passed_over, cancel_event)
    results: dict[Path, SoundEntry | SkippedSound] = {}
    with closing(_in_threads(_read_entry, files, _HEADER_WORKERS, cancel_event)) as headers:
        for done, (path, found) in enumerate(headers, 1):
            results[path] = found.result()
            if on_progress is not None:
                on_progress(done, len(files))
    ordered = [results[path] for path in files]
    skipped.extend(item for item in ordered if isinstance(item, SkippedSound))
    skipped.sort(key=lambda item: path_order(item.path))
    kinds = tuple(sorted(passed_over.items(), key=lambda item: (-item[1], item[0])))
    return ScanResult(tuple(item for item in ordered if isinstance(item, SoundEntry)), tuple(skipped), kinds)


def _read_entry(path: Path) -> SoundEntry | SkippedSound:
    try:
        header = read_header(path)
        status = path.stat()
    except SoundError as exc:
        return SkippedSound(path, str(exc))
    except OSError as exc:
        return SkippedSound(path, link_reason(path, exc))
    return SoundEntry(
        path, path.name, header.duration_s, header.sample_rate, header.channels, status.st_size, status.st_mtime_ns
    )


def check_sounds(
    entries: Iterable[SoundEntry],
    cache: "SoundCache",
    on_checked: Callable[[SoundEntry, str | None], None],
    cancel_event: threading.Event | None = None,
) -> None:
    """Decode sounds into the cache, and tell of each whether it can be used.

    Parameters
    ----------
    entries
        The sounds.
    cache
        Where they go; what is there already takes no time.
    on_checked
        Called in the caller's thread with the entry, and None or the reason why it cannot be used.  The order is
        that in which they get done.
    cancel_event
        Ends the check early, within a block of samples; nothing is raised then, and the rest is not told.

    Raises
    ------
    DistillError
        The disk is full, or the cache folder cannot be written to.
    """
    stop = cancel_event or threading.Event()
    workers = min(2, max(1, (os.cpu_count() or 2) // 2))  # playing and drawing go on meanwhile
    checks = _in_threads(lambda e: cache.get(e.path, stop), list(entries), workers, stop, _step_back)
    with suppress(Cancelled), closing(checks):
        for entry, done in checks:
            try:
                done.result()
            except SoundError as exc:
                on_checked(entry, str(exc))
            else:
                on_checked(entry, None)


def _in_threads(
    work: Callable[[T], R],
    items: list[T],
    workers: int,
    cancel_event: threading.Event | None,
    prepare_thread: Callable[[], None] | None = None,
) -> Generator[tuple[T, "Future[R]"], None, None]:
    """Yield each item with its finished future, in the order in which they finish.

    Whatever ends the iteration early, no thread and no unstarted work is left behind.

    Raises
    ------
    Cancelled
        ``cancel_event`` was set.
    """
    pool = ThreadPoolExecutor(min(workers, max(1, len(items))), "distill-sounds", prepare_thread)
    try:
        left = {pool.submit(work, item): item for item in items}
        while left:
            done, _ = wait(left, timeout=0.1, return_when=FIRST_COMPLETED)
            if cancel_event is not None and cancel_event.is_set():
                raise Cancelled
            for future in done:
                yield left.pop(future), future
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _step_back() -> None:
    """Let the window and the player go first.  Linux has a priority for each thread; elsewhere this does nothing."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
