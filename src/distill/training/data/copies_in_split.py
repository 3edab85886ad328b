"""Groups sounds that are copies of one another, whatever their format, level and name, for the split.

They have to be on the same side of the split: a model that was trained on a WAV file is not tested by its MP3.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from distill.audio.cache.sound_cache import CachedSound
from distill.audio.decoding.mono_decoder import SAMPLE_RATE

FloatArray = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex128]

#: Points of a shape, and the level in dB at which a shape begins and ends: encoders blur what is softer.
_POINTS, _EDGE_DB = 100, -30.0
#: Shapes that differ by less in dB on average and lengths that differ by less in seconds are compared by samples.
_SHAPE_DB, _LENGTH_S = 3.0, 0.15
#: Correlation from which two sounds are the same audio, where they are shifted by no more than some seconds.
_CORRELATION, _SHIFT_S = 0.9, 0.08
_COMPARED_S = 0.5
#: Samples that are compared, those by which sounds are shifted, and those of a Fourier transform of both together.
_COUNT, _SHIFT = round(_COMPARED_S * SAMPLE_RATE), round(_SHIFT_S * SAMPLE_RATE)
_SIZE = 1 << (_COUNT + 2 * _SHIFT - 1).bit_length()
#: Sounds each of which is compared with each before the next ones are read, for which spectra are kept (17 MB).
_AT_ONCE = 32
#: Most sounds of which each is compared with each other: the time grows with the square of their number.
MOST_COMPARED = 2000


def copy_groups_for_split(sounds: Sequence[CachedSound]) -> list[list[CachedSound]]:
    """Return the sounds in groups of copies that the split keeps together, in the order of their first members.

    Equal files and equal samples are found by their hashes.  Lossy formats, resampling and other levels are found by
    the shape of the envelope first and by the correlation of the loudest half second then, of up to `MOST_COMPARED`
    sounds.
    """
    parent = list(range(len(sounds)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def join(first: int, second: int) -> None:
        low, high = sorted((root(first), root(second)))
        parent[high] = low

    known: dict[str, int] = {}
    for number, sound in enumerate(sounds):
        for key in (sound.content_hash, sound.audio_hash):
            if key:
                join(known.setdefault(key, number), number)
    alone = [number for number in range(len(sounds)) if root(number) == number and sounds[number].preparation > 1]
    compared = alone if len(alone) <= MOST_COMPARED else []
    correlation = _Correlation([sounds[number] for number in compared])
    for first, second in _copy_candidates(correlation.sounds):
        if root(alone[first]) != root(alone[second]) and correlation.of(first, second) >= _CORRELATION:
            join(alone[first], alone[second])
    groups: dict[int, list[CachedSound]] = {}
    for number, sound in enumerate(sounds):
        groups.setdefault(root(number), []).append(sound)
    return list(groups.values())


def copies_note(sounds: Sequence[CachedSound]) -> str:
    """Return what the user should know of copies that are not looked for; empty where all are."""
    if len(sounds) <= MOST_COMPARED:
        return ""
    return (
        f"With more than {MOST_COMPARED} sounds, only exact copies are kept on one side of the split. Leave out other "
        "copies of your sounds, such as MP3 files beside WAV files."
    )


def _copy_candidates(sounds: Sequence[CachedSound]) -> Iterator[tuple[int, int]]:
    """Yield the pairs whose envelopes have about the same shape and length, those of the same neighbours together."""
    if len(sounds) < 2:
        return
    shapes, seconds = zip(*(_shape(sound) for sound in sounds), strict=True)
    envelopes, lengths = np.stack(shapes), np.asarray(seconds)
    later_copies = []
    for number in range(len(sounds) - 1):
        is_like_length = np.abs(lengths[number + 1 :] - lengths[number]) <= _LENGTH_S
        is_like_shape = np.abs(envelopes[number + 1 :] - envelopes[number]).mean(axis=1) <= _SHAPE_DB
        later_copies.append(number + 1 + np.flatnonzero(is_like_length & is_like_shape))
    firsts = np.repeat(np.arange(len(later_copies)), [len(copies) for copies in later_copies])
    others = np.concatenate(later_copies)
    for at in np.lexsort((others, firsts, others // _AT_ONCE, firsts // _AT_ONCE)):
        yield int(firsts[at]), int(others[at])


def _shape(sound: CachedSound) -> tuple[FloatArray, float]:
    """Return the envelope from its first to its last loud moment in dB, ``[_POINTS]``, and its length in seconds."""
    level = 20 * np.log10(np.maximum(sound.envelope(), 1e-3))
    loud = np.flatnonzero(level >= level.max() + _EDGE_DB)
    part = level[loud[0] : loud[-1] + 1] - level.max()
    points = np.interp(np.linspace(0, len(part) - 1, _POINTS), np.arange(len(part)), part)
    return points.astype(np.float32), len(part) / 100


class _Correlation:
    """Correlates sounds around the loudest moment of the first; what is computed of one sound is kept for a while."""

    def __init__(self, sounds: Sequence[CachedSound]) -> None:
        self.sounds = sounds
        self._part = lru_cache(maxsize=_AT_ONCE)(partial(_loud_part, sounds))
        self._surroundings = lru_cache(maxsize=_AT_ONCE)(partial(_surroundings, sounds))

    def of(self, first: int, second: int) -> float:
        """Return the largest correlation of two sounds over all shifts, in magnitude."""
        begin, spectrum, energy = self._part(first)
        around, energies = self._surroundings(second, max(0, begin - _SHIFT))
        product = np.fft.irfft(around * spectrum, _SIZE)[: len(energies)]
        return float(np.abs(product / np.sqrt(np.maximum(energies * energy, 1e-12))).max())


def _loud_part(sounds: Sequence[CachedSound], number: int) -> tuple[int, Spectrum, float]:
    """Return where the loud part of a sound begins, its conjugate spectrum, and its energy."""
    sound = sounds[number]
    loudest = int(sound.envelope().argmax()) * (SAMPLE_RATE // 100)
    begin = max(0, min(loudest - _COUNT // 4, sound.samples - _COUNT))
    part = sound.read(begin, _COUNT).astype(np.float64)
    return begin, np.conj(np.fft.rfft(part, _SIZE)), float(np.dot(part, part))


def _surroundings(sounds: Sequence[CachedSound], number: int, low: int) -> tuple[Spectrum, npt.NDArray[np.float64]]:
    """Return the spectrum of a sound from a sample on, and its energy under the part of another one at each shift."""
    around = sounds[number].read(low, _COUNT + 2 * _SHIFT).astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(around * around)])
    return np.fft.rfft(around, _SIZE), sums[_COUNT:] - sums[: 2 * _SHIFT + 1]
