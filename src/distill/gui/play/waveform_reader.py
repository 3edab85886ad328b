"""Draws the waveform of the current sound, which it reads in the background."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from distill.audio.cache.hash_index import Key, file_key
from distill.audio.decoding.mono_decoder import SAMPLE_RATE, decode_sound
from distill.audio.waveform_peaks import waveform_peaks
from distill.gui.background_tasks import BackgroundTask
from distill.gui.play.marked_waveform import MarkedWave


class WaveReader(QObject):
    """Reads one sound at a time; of one that is not wanted any more nothing is drawn."""

    def __init__(self, wave: MarkedWave, parent: QObject) -> None:
        super().__init__(parent)
        self._wave = wave
        #: File of the waveform that is drawn or being read, and what it was like when it was read.
        self._path: Path | None = None
        self._key: Key | None = None
        self._reading: BackgroundTask | None = None

    def show(self, path: Path | None) -> None:
        """Draw a sound, unless it is the one that is drawn, unchanged."""
        is_same = path == self._path
        if is_same and (path is None or self._reading is not None):
            return
        known = self._key if is_same else None
        self._path, self._key = path, known
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        if not is_same:
            self._wave.show_sound(None, 0.0)
        if path is None:
            return

        def work(_notify: Callable[[Any], None], cancel: threading.Event) -> tuple[Key, Any] | None:
            key = file_key(path)
            return None if key == known else (key, read_wave(path, cancel))

        task = BackgroundTask(work, self)
        task.setObjectName("play wave")
        task.succeeded.connect(self._on_read)
        task.failed.connect(self._on_failed)
        task.ended.connect(self._on_ended)
        self._reading = task
        task.start()

    def _on_read(self, read: tuple[Key, Any] | None) -> None:
        if read is not None:
            self._key, wave = read
            self._wave.show_sound(*wave)

    def _on_failed(self, _error: Exception) -> None:
        self._path = None  # it is read again with the next click; playing it reports the error

    def _on_ended(self) -> None:  # of a task that was not cancelled
        self._reading = None


#: Peak pairs of a waveform: the pixels of the panel at 200 %.
_PEAKS = 1200


def read_wave(path: Path, cancel: threading.Event) -> tuple[NDArray[np.float32], float]:
    """Return the peaks ``[n, 2]`` and the seconds of a sound file.

    Raises
    ------
    SoundError
        It cannot be read.
    Cancelled
        ``cancel`` was set.
    """
    audio = decode_sound(path, cancel)
    return waveform_peaks(audio, _PEAKS), len(audio) / SAMPLE_RATE
