"""What the Play page says of a sound: its waveform, and how near it is to the user's own."""

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication

from distill.audio.decoding.sound_file import SAMPLE_RATE, decode_sound
from distill.audio.waveform_peaks import waveform_peaks
from distill.generation.map.newness import CLOSE, COPY, NEW, Verdict

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


def word_of(verdict: Verdict | None) -> str:
    """Return the word for how new a sound is, or nothing where that is not known."""
    words = {
        NEW: QCoreApplication.translate("verdict", "new"),
        CLOSE: QCoreApplication.translate("verdict", "close"),
        COPY: QCoreApplication.translate("verdict", "copy"),
    }
    return words[verdict.word] if verdict is not None else ""


def verdict_text(verdict: Verdict) -> str:
    """Return a sentence about how new a sound is."""
    texts = {
        NEW: QCoreApplication.translate("verdict", "New. Sounds most like {0}"),
        CLOSE: QCoreApplication.translate("verdict", "Sounds much like {0}"),
        COPY: QCoreApplication.translate("verdict", "Sounds like a copy of {0}"),
    }
    return texts[verdict.word].format(verdict.name)
