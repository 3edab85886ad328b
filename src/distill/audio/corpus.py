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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from distill.audio.decoding.decoder import link_reason
from distill.audio.decoding.sound_file import DecodingCancelled, FloatArray, read_header
from distill.audio.discovery import RUN_MARKER, SkippedSound, find_sound_files, path_order
from distill.errors import SoundError

if TYPE_CHECKING:
    from distill.audio.cache.sound_cache import SoundCache

__all__ = [
    "RUN_MARKER", "ScanResult", "SkippedSound", "SoundEntry",
    "check_sounds", "find_sound_files", "scan_sounds", "waveform_peaks",
]  # fmt: skip

_HEADER_WORKERS = 8  # they wait for the disk more than they compute
_KINDS = 6  # suffixes that are named in a message
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class SoundEntry:
    """A sound that can be used, as far as its header tells.

    Attributes
    ----------
    path, name
        The file, and its name for people.
    duration_s
        Seconds.
    sample_rate, channels
        As in the file.
    size_bytes, mtime_ns
        Of the file, when it was scanned.
    """

    path: Path
    name: str
    duration_s: float
    sample_rate: int
    channels: int
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class ScanResult:
    """What was found.

    Attributes
    ----------
    entries
        Sounds that can be used as far as their headers show.
    skipped
        Files and folders that cannot be used, with the reason.
    passed_over
        Files that are no sounds by their names: suffixes and their number, the most frequent first.
    """

    entries: tuple[SoundEntry, ...]
    skipped: tuple[SkippedSound, ...]
    passed_over: tuple[tuple[str, int], ...] = ()

    def passed_over_text(self) -> str:
        """Return one line about the files that are no sounds; empty where there are none."""
        total = sum(count for _, count in self.passed_over)
        if not total:
            return ""
        kinds = ", ".join(f"{count} {suffix or 'without a suffix'}" for suffix, count in self.passed_over[:_KINDS])
        more = f", {len(self.passed_over) - _KINDS} other kinds" if len(self.passed_over) > _KINDS else ""
        return f"{total} other {'file is' if total == 1 else 'files are'} no sound by name: {kinds}{more}."

    @property
    def total_duration_s(self) -> float:
        """Seconds of all entries together."""
        return sum(entry.duration_s for entry in self.entries)

    @property
    def file_count(self) -> int:
        """Number of files and folders that were examined."""
        return len(self.entries) + len(self.skipped)


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
    DecodingCancelled
        ``cancel_event`` was set.
    """
    skipped: list[SkippedSound] = []
    passed_over: Counter[str] = Counter()
    files = find_sound_files(paths, skipped, passed_over)
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
    with suppress(DecodingCancelled), closing(checks):
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
    DecodingCancelled
        ``cancel_event`` was set.
    """
    pool = ThreadPoolExecutor(min(workers, max(1, len(items))), "distill-sounds", prepare_thread)
    try:
        left = {pool.submit(work, item): item for item in items}
        while left:
            done, _ = wait(left, timeout=0.1, return_when=FIRST_COMPLETED)
            if cancel_event is not None and cancel_event.is_set():
                raise DecodingCancelled
            for future in done:
                yield left.pop(future), future
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _step_back() -> None:
    """Let the window and the player go first.  Linux has a priority for each thread; elsewhere this does nothing."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def waveform_peaks(audio: FloatArray, bins: int) -> npt.NDArray[np.float32]:
    """Return the lowest and highest sample of each of ``bins`` equal stretches of a sound, for drawing it.

    Parameters
    ----------
    audio
        ``[samples]``.
    bins
        Number of stretches; where it exceeds the samples, neighbours share one.

    Returns
    -------
    numpy.ndarray
        float32 ``[bins, 2]``; zeros for no audio.

    Raises
    ------
    ValueError
        ``bins`` is not positive, or the audio has more than one dimension.
    """
    if bins < 1 or audio.ndim != 1:
        raise ValueError(f"waveform_peaks takes [samples] and at least 1 bin, not {list(audio.shape)} and {bins}.")
    if audio.size == 0:
        return np.zeros((bins, 2), np.float32)
    starts: npt.NDArray[Any] = np.arange(bins) * audio.size // bins
    lowest, highest = np.minimum.reduceat(audio, starts), np.maximum.reduceat(audio, starts)
    return np.stack([lowest, highest], axis=1).astype(np.float32, copy=False)
