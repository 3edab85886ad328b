"""Finds and checks the sounds, in the background: headers first, so that the list is there at once, then decoding."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.corpus import ScanResult, SoundEntry, check_sounds, scan_sounds
from distill.audio.decoding.sound_file import DecodingCancelled
from distill.errors import SoundError
from distill.gui.sounds.row import CheckedSound
from distill.gui.widgets.background import BackgroundTask

#: Results of checking are passed on in batches of this many milliseconds.
BATCH_MILLISECONDS = 100


class SoundLoader(QObject):
    """Scans folders and files, then decodes what was found into the cache."""

    scan_started = Signal()
    scan_finished = Signal(object)  # ScanResult
    failed = Signal(object)  # the exception
    sounds_checked = Signal(object)  # list of CheckedSound
    check_progressed = Signal(int, int)  # done, total
    check_finished = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._task: BackgroundTask | None = None
        self._unchecked: dict[Path, SoundEntry] = {}
        self._total = 0
        self._batch: list[CheckedSound] = []
        self._timer = QTimer(self, interval=BATCH_MILLISECONDS, singleShot=True)
        self._timer.timeout.connect(self._flush)

    @property
    def is_busy(self) -> bool:
        """Whether sounds are being looked for or checked."""
        return self._task is not None

    def load(self, paths: Sequence[Path]) -> None:
        """Find the sounds in these files and folders, then check them; what was under way before is given up."""
        self.pause()
        self._unchecked, self._total = {}, 0
        self.scan_started.emit()
        task = self._start(lambda _progress, cancel: scan_sounds(list(paths), cancel_event=cancel))
        task.succeeded.connect(self._on_scanned)
        task.failed.connect(self._on_failed)

    def pause(self) -> None:
        """Give up what is under way; `resume` goes on with what is not checked yet."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._flush()

    def resume(self) -> None:
        """Check what is not checked yet."""
        if self._unchecked and self._task is None:
            entries = list(self._unchecked.values())
            task = self._start(lambda progress, cancel: _check(entries, progress, cancel))
            task.progressed.connect(self._on_checked)
            task.succeeded.connect(self._on_check_ended)
            task.failed.connect(self._on_failed)

    def _start(self, work: Callable[[Callable[[Any], None], threading.Event], Any]) -> BackgroundTask:
        self._task = BackgroundTask(work, self)
        self._task.start()
        return self._task

    def _on_scanned(self, result: ScanResult) -> None:
        self._task = None
        self._unchecked = {entry.path: entry for entry in result.entries}
        self._total = len(result.entries)
        self.scan_finished.emit(result)
        self.resume()

    def _on_failed(self, error: Exception) -> None:
        self._task = None
        self._flush()
        self.failed.emit(error)

    def _on_checked(self, result: CheckedSound) -> None:
        self._unchecked.pop(result.path, None)
        self._batch.append(result)
        if not self._timer.isActive():
            self._timer.start()

    def _on_check_ended(self, _result: object) -> None:
        self._task = None
        self._flush()
        self.check_finished.emit()

    def _flush(self) -> None:
        self._timer.stop()
        if self._batch:
            batch, self._batch = self._batch, []
            self.sounds_checked.emit(batch)
            self.check_progressed.emit(self._total - len(self._unchecked), self._total)


def _check(entries: list[SoundEntry], progress: Callable[[Any], None], cancel: threading.Event) -> None:
    """Decode the sounds into the cache; runs in the background."""
    cache = SoundCache()

    def on_checked(entry: SoundEntry, reason: str | None) -> None:
        content_hash = ""
        if reason is None:
            try:
                content_hash = cache.content_hash(entry.path, cancel)
            except SoundError as exc:  # it went away just now
                reason = str(exc)
        progress(CheckedSound(entry.path, reason, content_hash))

    with suppress(DecodingCancelled):
        check_sounds(entries, cache, on_checked, cancel_event=cancel)
