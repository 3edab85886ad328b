"""Sounds to test with."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distill.audio.cache import sound_cache as cache_module
from distill.audio.decoding.mono_decoder import FloatArray, stream_prepared

WriteTone = Callable[..., Path]
LONG_AGO = time.time() - 10 * 24 * 3600


def tone(seconds: float = 0.5, rate: int = 48_000, hertz: float = 1000.0, level: float = 0.5) -> FloatArray:
    """A sine ``[samples]``."""
    return np.asarray(level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate), np.float32)


def loudest_hertz(audio: FloatArray, rate: int = 48_000) -> float:
    """Frequency of the strongest sine, to a fraction of a bin."""
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 8 * len(audio)))
    return float(spectrum.argmax() * rate / (8 * len(audio)))


@pytest.fixture
def write_tone(tmp_path: Path) -> WriteTone:
    """Writes a sine as a sound file below ``tmp_path``."""

    def write(name: str, seconds: float = 0.5, rate: int = 48_000, hertz: float = 1000.0, **options: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(seconds, rate, hertz), rate, **options)
        return path

    return write


def cached_files(folder: Path, pattern: str = "*.f32") -> list[Path]:
    """The entries of a cache."""
    return sorted(folder.glob(pattern))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the files that are really decoded, by name."""
    counter: Counter[str] = Counter()

    def counting(path: Path, *arguments: Any) -> Any:
        counter[path.name] += 1
        return stream_prepared(path, *arguments)

    monkeypatch.setattr(cache_module, "stream_prepared", counting)
    return counter
