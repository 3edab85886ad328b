"""Finds the sounds among files and folders, and lists what is skipped with the reasons.

The files that are found are read in two passes: `scan_sounds` reads headers only, so that a folder of 500 files is
listed at once; `check_sounds` decodes everything into the cache in the background, and finds what a header does not
show (silence, NaN, damage). No torch here: the window lists sounds before torch is imported.
"""

import os
import stat
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from distill import paths as positions
from distill.audio.decoding.access_errors import link_reason, os_reason
from distill.audio.decoding.open_sound import read_header
from distill.audio.decoding.sound_suffixes import SOUND_SUFFIXES, UNREADABLE_SUFFIXES
from distill.audio.scan_result import ScanResult, SkippedSound, SoundEntry
from distill.errors import Cancelled, SoundError
from distill.json_files import read_json
from distill.paths import MOST_RECORD_BYTES, RUN_MARKER

if TYPE_CHECKING:
    from distill.audio.cache.sound_cache import SoundCache

#: Keys of the record of every run since the first version, by which another program's ``run.json`` is told apart.
_RECORD_KEYS = frozenset(("version", "config", "sounds", "status"))
PRIVATE_REASON = "belongs to Distill (a run, its models or its cache) and is not searched for sounds"

_FileId = tuple[int, int]
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


def find_sound_files(
    paths: Iterable[Path | str],
    skipped: list[SkippedSound] | None = None,
    passed_over: "Counter[str] | None" = None,
    cancel_event: threading.Event | None = None,
) -> list[Path]:
    """Return the sound files among and below ``paths``, sorted, each file once.

    Folders are searched to any depth, through links too; hidden files and folders, runs of Distill, its models and
    its cache are not searched.  A file that is named itself is always returned; reading it shows what is wrong with it.

    Parameters
    ----------
    paths
        Files and folders, mixed.
    skipped
        Receives what cannot be searched or found, with the reason.
    passed_over
        Counts the files that are no sounds by their suffix, which is ``""`` for names without one.
    cancel_event
        Ends the search early.

    Raises
    ------
    Cancelled
        ``cancel_event`` was set.
    """
    search = _Search(
        [] if skipped is None else skipped, Counter() if passed_over is None else passed_over, cancel_event
    )
    for path in paths:
        search.add(Path(os.path.abspath(_at_home(Path(path)))))  # noqa: PTH100 - links keep their names
    return search.result()


def _at_home(path: Path) -> Path:
    """Return a path with the user's home in place of ``~``; other names that begin with one are names as any."""
    if path.parts[:1] != ("~",) or os.path.lexists(path):
        return path
    return path.expanduser()


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run of Distill: it holds the record of one, whole or damaged.

    Other programs write a ``run.json`` as well.  A record that cannot be read counts where a history, checkpoints or
    previews lie beside it.
    """
    marker = folder / RUN_MARKER
    try:
        if not stat.S_ISREG(marker.stat().st_mode):
            return False
    except OSError:
        return False
    with suppress(OSError, ValueError):
        record = read_json(marker, MOST_RECORD_BYTES)
        if isinstance(record, dict) and record.keys() >= _RECORD_KEYS:
            return True
    beside = ("history.jsonl", "checkpoints/checkpoint_epoch*.pt", "previews/*_epoch*.wav")
    return any(next(folder.glob(pattern), None) is not None for pattern in beside)


class _Search:
    """One search: what was found, and which folders were seen (a link may lead back up)."""

    def __init__(
        self, skipped: list[SkippedSound], passed_over: "Counter[str]", cancel_event: threading.Event | None
    ) -> None:
        self._skipped, self._cancel_event = skipped, cancel_event
        self._passed_over = passed_over
        self._files: dict[Path, _FileId] = {}
        self._folders: set[_FileId] = set()
        homes = (positions.runs_dir(), positions.models_dir(), positions.cache_dir())
        self._private = {found for home in homes if (found := _file_id(home)) is not None}

    def add(self, path: Path) -> None:
        try:
            status = path.stat()
        except OSError as exc:
            gone = isinstance(exc, FileNotFoundError | NotADirectoryError) and not path.is_symlink()
            self._skip(path, "there is no such file or folder" if gone else link_reason(path, exc))
            return
        if not stat.S_ISDIR(status.st_mode):
            self._files[path] = (status.st_dev, status.st_ino)
        elif self._inside_private(path):
            self._skip(path, PRIVATE_REASON)
        else:
            self._walk(path)

    def result(self) -> list[Path]:
        """Return one path for each file, whatever the order in which they were found."""
        first: dict[_FileId, Path] = {}
        for path in sorted(self._files, key=path_order):
            first.setdefault(self._files[path], path)
        return list(first.values())

    def _skip(self, path: Path, reason: str) -> None:
        self._skipped.append(SkippedSound(path, reason))

    def _inside_private(self, path: Path) -> bool:
        real = path.resolve()
        return any(self._is_private(folder) for folder in (real, *real.parents))

    def _is_private(self, folder: Path) -> bool:
        return _file_id(folder) in self._private or is_run(folder)

    def _walk(self, top: Path) -> None:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            identity = _file_id(folder)
            if identity is None or identity in self._folders:
                continue
            self._folders.add(identity)
            if folder != top and self._is_private(folder):
                self._skip(folder, PRIVATE_REASON)
                continue
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if self._cancel_event is not None and self._cancel_event.is_set():
                            raise Cancelled
                        self._take(entry, waiting)
            except OSError as exc:
                self._skip(folder, os_reason(exc).replace("the file", "the folder"))

    def _take(self, entry: "os.DirEntry[str]", waiting: list[Path]) -> None:
        path = Path(entry.path)
        if entry.name.startswith(".") or _is_hidden_by_system(entry):
            return
        try:
            if entry.is_dir():
                waiting.append(path)
                return
        except OSError:  # a link that leads nowhere, or to itself
            pass
        if path.suffix.lower() not in SOUND_SUFFIXES | UNREADABLE_SUFFIXES:
            self._passed_over[path.suffix.lower()] += 1
            return
        try:
            status = path.stat()
        except OSError as exc:
            self._skip(path, link_reason(path, exc))
            return
        if stat.S_ISREG(status.st_mode):
            self._files[path] = (status.st_dev, status.st_ino)
        else:
            self._skip(path, "is not a regular file")


def _is_hidden_by_system(entry: "os.DirEntry[str]") -> bool:
    if sys.platform != "win32":
        return False
    with suppress(OSError):
        return bool(entry.stat(follow_symlinks=False).st_file_attributes & stat.FILE_ATTRIBUTE_HIDDEN)
    return False


def _file_id(path: Path) -> _FileId | None:
    with suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None


def path_order(path: Path) -> tuple[str, str]:
    """Return the key that files are listed by."""
    return str(path).casefold(), str(path)
