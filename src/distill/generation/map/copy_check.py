"""Whether a sound is a copy of one of the user's own, whatever was done to its level, place, pitch, noise or coding.

What survives all of that is the waveform: the sound is correlated with every place of every own sound, at its own pitch
and a semitone to each side (played faster or slower).  The correlation of a copy is near 1; two strokes of one drum,
which resemble each other as spectra, mostly stay well below.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from distill.audio.decoding.mono_decoder import SAMPLE_RATE, FloatArray, decode_sound
from distill.errors import DistillError

#: Rate at which sounds are compared, and the longest part that is.
RATE = 16_000
PART_SAMPLES = RATE

#: Transforms are this long; what they yield beyond the part's own length is kept.
_BLOCK = 2**16
_HOP = _BLOCK - PART_SAMPLES
_BLOCKS_AT_ONCE = 32

#: Semitones by which copies are looked for, and samples at 48 kHz by which they lie between those that are compared:
#: without the latter the correlation of a shifted click falls to 0.8.
_LOOKED_FOR = ((0, 0), (0, 1), (0, 2), (-1, 0), (1, 0))

#: Seconds of own sounds that are held at most: 100 MB.
_MOST_SECONDS = 1200

#: Correlation from which a sound is a copy.  Of 132 sounds of one corpus, two are more like another one: two recordings
#: of a stroke that are the same but for their ends.
COPY_CORRELATION = 0.965


class Match(NamedTuple):
    """The place that a sound is most like.

    Attributes
    ----------
    correlation
        0 to 1.
    number
        Of the own sound, or -1.
    """

    correlation: float
    number: int


class CopySearch:
    """Finds the place of the user's own sounds that a sound is a copy of.

    Parameters
    ----------
    sounds
        Number and samples ``[N]`` at 48 kHz of each sound.  No more are taken than are held.
    """

    def __init__(self, sounds: Iterable[tuple[int, FloatArray]]) -> None:
        own_sounds, owner, samples_left = [np.zeros(0, np.float32)], [np.zeros(0, np.int32)], _MOST_SECONDS * RATE
        for number, audio in sounds:
            resampled = _resampled(audio, 0)[:samples_left]
            samples_left -= len(resampled)
            own_sounds += [np.zeros(PART_SAMPLES, np.float32), resampled]
            owner.append(np.full(PART_SAMPLES + len(resampled), number, np.int32))
            if samples_left <= 0:
                break
        self._owner = np.concatenate(owner)
        blocks = max(1, -(-len(self._owner) // _HOP))
        padded = np.zeros(blocks * _HOP + PART_SAMPLES, np.float32)
        joined = np.concatenate(own_sounds)
        padded[: len(joined)] = joined
        self._spectra = torch.fft.rfft(torch.from_numpy(padded).unfold(0, _BLOCK, _HOP))  # [blocks, _BLOCK // 2 + 1]
        self._energy = np.concatenate([[0.0], np.cumsum(padded.astype(np.float64) ** 2)])

    @classmethod
    def of_files(cls, files: Mapping[int, Path]) -> "CopySearch":
        """Return the sounds of some files, by their numbers; a file that cannot be read is passed over."""
        return cls(_decoded(files))

    def find(self, audio: FloatArray) -> Match:
        """Return the place of the own sounds that a sound ``[N]`` at 48 kHz is most like."""
        best = Match(0.0, -1)
        if not len(self._owner) or len(audio) < 100 or not float(np.abs(audio).max(initial=0.0)):
            return best
        for semitones, skipped in _LOOKED_FOR:
            match = self._find(_loudest_part(_resampled(audio[skipped:], semitones)))
            best = max(best, match)
        return best

    def _find(self, part: NDArray[np.float32]) -> Match:
        size, norm = len(part), float(np.sqrt(np.square(part, dtype=np.float64).sum()))
        if norm == 0.0:
            return Match(0.0, -1)
        wanted = torch.fft.rfft(torch.from_numpy(part), _BLOCK).conj()
        best = Match(0.0, -1)
        for first in range(0, len(self._spectra), _BLOCKS_AT_ONCE):
            start = first * _HOP
            convolved = torch.fft.irfft(self._spectra[first : first + _BLOCKS_AT_ONCE] * wanted, _BLOCK)[:, :_HOP]
            dot = convolved.abs().reshape(-1)[: len(self._owner) - start].numpy()
            energy = self._energy[start + size : start + size + len(dot)]
            energy = energy - self._energy[start : start + len(energy)]
            # Where next to nothing of an own sound is under the part, nothing is to be compared.
            correlation = dot[: len(energy)] / (np.sqrt(np.maximum(energy, 1e-3)) * norm)
            best_sample = int(correlation.argmax())
            if correlation[best_sample] > best.correlation:
                middle = min(start + best_sample + size // 2, len(self._owner) - 1)
                best = Match(min(1.0, float(correlation[best_sample])), int(self._owner[middle]))
        return best


def _decoded(files: Mapping[int, Path]) -> Iterator[tuple[int, FloatArray]]:
    """Yield files by their numbers, one decoded at a time."""
    for number, path in files.items():
        with suppress(DistillError, OSError):
            yield number, decode_sound(path)


def _resampled(audio: FloatArray, semitones: int) -> NDArray[np.float32]:
    """Return a sound at `RATE`, played this much higher, at full scale."""
    low = soxr.resample(np.ascontiguousarray(audio, np.float32), SAMPLE_RATE * 2 ** (semitones / 12), RATE)
    scaled: NDArray[np.float32] = (low / max(float(np.abs(low).max(initial=0.0)), 1e-9)).astype(np.float32)
    return scaled


def _loudest_part(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the second with most energy, in steps of a tenth."""
    step = PART_SAMPLES // 10
    if len(audio) <= PART_SAMPLES:
        return audio
    energy = np.add.reduceat(np.square(audio, dtype=np.float64), np.arange(0, len(audio), step))
    start = int(np.convolve(energy, np.ones(10), "valid").argmax()) * step
    return audio[start : start + PART_SAMPLES]
