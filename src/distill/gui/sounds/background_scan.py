"""Scans for sounds and checks them in the background: headers first, so that the list appears at once."""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.scan_result import ScanResult, SoundEntry
from distill.audio.sound_scan import check_sounds, scan_sounds
from distill.audio.stereo.stereo_files import is_stereo_sound
from distill.errors import Cancelled, SoundError
from distill.gui.background_tasks import BackgroundTask
from distill.gui.sounds.sound_row import CheckedSound

#: Results of checking are passed on in batches of this many milliseconds.
BATCH_MILLISECONDS = 100


@dataclass(frozen=True)
class Scan:
    """What a scan has found.

    Attributes
    ----------
    requested, drops_missing
        As in `BackgroundScan.load`.
    result
        The sounds, and the files that cannot be used.
    roots
        The requested files and folders that exist.
    folders
        The folders among them.
    """

    requested: tuple[Path, ...]
    drops_missing: bool
    result: ScanResult
    roots: tuple[Path, ...]
    folders: tuple[Path, ...]


class BackgroundScan(QObject):
    """Scans folders and files, then decodes what was found into the cache."""

    scan_started = Signal()
    scan_finished = Signal(object)  # Scan
    failed = Signal(object)  # the exception
    sounds_checked = Signal(object)  # list of CheckedSound
    sounds_check_progressed = Signal(int, int)  # done, total

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._scanning: BackgroundTask | None = None
        self._checking: BackgroundTask | None = None
        self._is_paused = False
        self._unchecked: dict[Path, SoundEntry] = {}
        self._count_to_check = 0
        self._checked_batch: list[CheckedSound] = []
        self._batch_timer = QTimer(self, interval=BATCH_MILLISECONDS, singleShot=True)
        self._batch_timer.timeout.connect(self._pass_on_checked)

    @property
    def is_busy(self) -> bool:
        """Whether sounds are being searched for or checked."""
        return self._scanning is not None or self._checking is not None

    def load(self, paths: Sequence[Path], drops_missing: bool = False) -> None:
        """Find the sounds in these files and folders, then check them; cancels a load in progress.

        Parameters
        ----------
        paths
            Files and folders.
        drops_missing
            Ignore paths that do not exist; otherwise they are listed as unusable.
        """
        self._cancel_check()
        if self._scanning is not None:
            self._scanning.cancel()
        self._unchecked, self._count_to_check = {}, 0
        self.scan_started.emit()
        self._scanning = self._start(lambda _progress, cancel: scan(paths, drops_missing, cancel))
        self._scanning.succeeded.connect(self._on_scanned)

    def check(self, entries: Iterable[SoundEntry]) -> None:
        """Check these sounds, too, except those that are to be checked anyway."""
        new = {entry.path: entry for entry in entries if entry.path not in self._unchecked}
        if new:
            self._count_to_check = len(new) + (self._count_to_check if self._unchecked else 0)
            self._unchecked |= new
            self._check_unchecked()

    def pause(self) -> None:
        """Check no sounds until `resume`; a scan goes on, because it reads headers only."""
        self._is_paused = True
        self._cancel_check()

    def resume(self) -> None:
        """Check what is not checked yet."""
        self._is_paused = False
        self._check_unchecked()

    def _check_unchecked(self) -> None:
        if self._unchecked and self._checking is None and not self._is_paused:
            entries = list(self._unchecked.values())
            self._checking = self._start(lambda progress, cancel: _check(entries, progress, cancel))
            self._checking.progressed.connect(self._on_checked)

    def _cancel_check(self) -> None:
        if self._checking is not None:
            self._checking.cancel()
            self._checking = None
        self._pass_on_checked()

    def _start(self, work: Callable[[Callable[[Any], None], threading.Event], Any]) -> BackgroundTask:
        task = BackgroundTask(work, self)
        task.failed.connect(self.failed)
        task.ended.connect(lambda: self._on_ended(task))
        task.start()
        return task

    def _on_scanned(self, scan: Scan) -> None:
        self._unchecked = {entry.path: entry for entry in scan.result.entries}
        self._count_to_check = len(scan.result.entries)
        self._scanning = None
        self.scan_finished.emit(scan)
        self._check_unchecked()

    def _on_ended(self, task: BackgroundTask) -> None:
        if self._scanning is task:
            self._scanning = None
        elif self._checking is task:
            self._checking = None
        self._pass_on_checked()

    def _on_checked(self, result: CheckedSound) -> None:
        self._unchecked.pop(result.path, None)
        self._checked_batch.append(result)
        if not self._batch_timer.isActive():
            self._batch_timer.start()

    def _pass_on_checked(self) -> None:
        self._batch_timer.stop()
        if self._checked_batch:
            batch, self._checked_batch = self._checked_batch, []
            self.sounds_checked.emit(batch)
            self.sounds_check_progressed.emit(self._count_to_check - len(self._unchecked), self._count_to_check)


def scan(paths: Sequence[Path], drops_missing: bool, cancel: threading.Event) -> Scan:
    """Find sounds and read their headers; runs in the background, because a network disk may not answer."""
    existing = tuple(path for path in paths if _exists(path))
    folders = tuple(path for path in existing if path.is_dir())
    result = scan_sounds(existing if drops_missing else paths, cancel_event=cancel)
    return Scan(tuple(paths), drops_missing, result, existing, folders)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # an unreadable mount, or a name from another system
        return False


def _check(entries: list[SoundEntry], progress: Callable[[Any], None], cancel: threading.Event) -> None:
    """Decode the sounds into the cache; runs in the background."""
    cache = SoundCache()

    def on_checked(entry: SoundEntry, reason: str | None) -> None:
        checked_sound = CheckedSound(entry.path, reason)
        if reason is None:
            try:
                sound = cache.get(entry.path, cancel)
                is_stereo = is_stereo_sound(sound, cancel)
                checked_sound = CheckedSound(entry.path, None, sound.content_hash, is_stereo, sound.notes)
            except SoundError as exc:  # the file was removed just now
                checked_sound = CheckedSound(entry.path, str(exc))
        progress(checked_sound)

    with suppress(Cancelled):
        check_sounds(entries, cache, on_checked, cancel_event=cancel)
