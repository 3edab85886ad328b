"""Groups sounds that are the same audio in other formats, at other levels or under other names.

They have to be on the same side of the split: a model that was trained on a WAV file is not tested by its MP3.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from distill.audio.cache.sound_cache import CachedSound
from distill.audio.decoding.sound_file import SAMPLE_RATE

FloatArray = npt.NDArray[np.float32]

#: Points of a shape, and the level in dB at which a shape begins and ends: encoders blur what is softer.
_POINTS, _EDGE_DB = 100, -30.0
#: Shapes that differ by less in dB on average and lengths that differ by less in seconds are compared by samples.
_SHAPE_DB, _LENGTH_S = 3.0, 0.15
#: Correlation from which two sounds are the same audio, where they are shifted by no more than some seconds.
_CORRELATION, _SHIFT_S = 0.9, 0.08
_COMPARED_S = 0.5
#: Most sounds of which each is compared with each other: the time grows with the square of their number.
MOST_COMPARED = 2000


def same_audio_groups(sounds: Sequence[CachedSound]) -> list[list[CachedSound]]:
    """Return the sounds in groups of the same audio, in the order of their first members.

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
    for first, second in _candidates([sounds[number] for number in compared]):
        if root(alone[first]) != root(alone[second]) and _is_same(sounds[alone[first]], sounds[alone[second]]):
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


def _candidates(sounds: Sequence[CachedSound]) -> list[tuple[int, int]]:
    """Return the pairs whose envelopes have about the same shape and length."""
    if len(sounds) < 2:
        return []
    shapes, seconds = zip(*(_shape(sound) for sound in sounds), strict=True)
    table, lengths = np.stack(shapes), np.asarray(seconds)
    pairs = []
    for number in range(len(sounds) - 1):
        near = np.abs(lengths[number + 1 :] - lengths[number]) <= _LENGTH_S
        alike = np.abs(table[number + 1 :] - table[number]).mean(axis=1) <= _SHAPE_DB
        pairs += [(number, number + 1 + int(other)) for other in np.flatnonzero(near & alike)]
    return pairs


def _shape(sound: CachedSound) -> tuple[FloatArray, float]:
    """Return the envelope from its first to its last loud moment in dB, ``[_POINTS]``, and its length in seconds."""
    level = 20 * np.log10(np.maximum(sound.envelope(), 1e-3))
    loud = np.flatnonzero(level >= level.max() + _EDGE_DB)
    part = level[loud[0] : loud[-1] + 1] - level.max()
    points = np.interp(np.linspace(0, len(part) - 1, _POINTS), np.arange(len(part)), part)
    return points.astype(np.float32), len(part) / 100


def _is_same(first: CachedSound, second: CachedSound) -> bool:
    """Whether two sounds correlate around the loudest moment of the first."""
    count, shift = round(_COMPARED_S * SAMPLE_RATE), round(_SHIFT_S * SAMPLE_RATE)
    loudest = int(first.envelope().argmax()) * (SAMPLE_RATE // 100)
    begin = max(0, min(loudest - count // 4, first.samples - count))
    a = first.read(begin, count).astype(np.float64)
    low = max(0, begin - shift)
    b = second.read(low, count + 2 * shift).astype(np.float64)
    size = 1 << (len(a) + len(b)).bit_length()
    product = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)[: len(b) - len(a) + 1]
    sums = np.concatenate([[0.0], np.cumsum(b * b)])
    energies = sums[len(a) :] - sums[: len(b) - len(a) + 1]
    norm = np.sqrt(np.maximum(energies * np.dot(a, a), 1e-12))
    return bool(np.abs(product / norm).max() >= _CORRELATION)
