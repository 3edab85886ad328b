"""Finds which sounds the next training will hold out, in the background."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.audio.decoding.sound_fix import SoundFix
from distill.errors import Cancelled, SoundError
from distill.gui.background.background_tasks import BackgroundTask
from distill.training.data.known_split import KnownSplit, split_with
from distill.training.data.split import SplitFiles, split_sounds


class SplitFinder(QObject):
    """Splits sounds as a training does, which reads their loudness over time from the cache."""

    found = Signal(object)  # SplitFiles, or None where the sounds cannot be split

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._task: BackgroundTask | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a split is being found."""
        return self._task is not None

    def start(
        self,
        files: Sequence[Path],
        share: float,
        chunk_seconds: float,
        known: KnownSplit | None = None,
        fixes: Mapping[Path, SoundFix] | None = None,
    ) -> None:
        """Find the split of these files; a search in progress is dropped.

        Parameters
        ----------
        files
            Sounds that are decoded already.
        share
            Share that is held out, from 0 to 1.
        chunk_seconds
            Length of a training chunk.
        known
            Split of the model that the training starts from.
        fixes
            What is changed in sounds when they are read.
        """
        self.cancel()
        wanted = _Wanted(tuple(files), share, chunk_seconds, known, dict(fixes or {}))
        task = BackgroundTask(lambda _progress, cancel: _split(wanted, cancel), self)
        task.succeeded.connect(self.found)
        task.ended.connect(lambda: self._on_ended(task))
        self._task = task
        task.start()

    def cancel(self) -> None:
        """Drop the search in progress."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _on_ended(self, task: BackgroundTask) -> None:
        if self._task is task:
            self._task = None


@dataclass(frozen=True)
class _Wanted:
    files: tuple[Path, ...]
    share: float
    chunk_seconds: float
    known: KnownSplit | None
    fixes: Mapping[Path, SoundFix]


def _split(wanted: _Wanted, cancel: threading.Event) -> SplitFiles | None:
    cache = SoundCache()
    fixes = {}
    sounds: list[CachedSound] = []
    with suppress(Cancelled):
        for path, fix in wanted.fixes.items():
            with suppress(SoundError):
                fixes[cache.content_hash(path, cancel)] = fix
        cache = SoundCache(fixes=fixes)
        for path in wanted.files:
            with suppress(SoundError):  # the file was removed just now; the training leaves it out as well
                sounds.append(cache.get(path, cancel))
    if not sounds:
        return None
    try:
        chunk = round(wanted.chunk_seconds * SAMPLE_RATE)
        if wanted.known is None:
            train, held = split_sounds(sounds, wanted.share, chunk)
        else:
            train, held = split_with(wanted.known, sounds, wanted.share, chunk)
    except ValueError:
        return None
    return SplitFiles.of(train, held)
