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
from distill.gui.background_tasks import BackgroundTask
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
        request = _SplitRequest(tuple(files), share, chunk_seconds, known, dict(fixes or {}))
        task = BackgroundTask(lambda _progress, cancel: _split(request, cancel), self)
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
class _SplitRequest:
    files: tuple[Path, ...]
    share: float
    chunk_seconds: float
    known: KnownSplit | None
    fixes: Mapping[Path, SoundFix]


def _split(request: _SplitRequest, cancel: threading.Event) -> SplitFiles | None:
    cache = SoundCache()
    fixes = {}
    sounds: list[CachedSound] = []
    with suppress(Cancelled):
        for path, fix in request.fixes.items():
            with suppress(SoundError):
                fixes[cache.content_hash(path, cancel)] = fix
        cache = SoundCache(fixes=fixes)
        for path in request.files:
            with suppress(SoundError):  # the file was removed just now; the training leaves it out as well
                sounds.append(cache.get(path, cancel))
    if not sounds:
        return None
    try:
        chunk_samples = round(request.chunk_seconds * SAMPLE_RATE)
        if request.known is None:
            training_sounds, held_out_sounds = split_sounds(sounds, request.share, chunk_samples)
        else:
            training_sounds, held_out_sounds = split_with(request.known, sounds, request.share, chunk_samples)
    except ValueError:
        return None
    return SplitFiles.of(training_sounds, held_out_sounds)
