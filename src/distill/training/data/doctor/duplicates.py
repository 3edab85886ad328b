"""Finds duplicates: the same audio at another level, start, polarity or sample rate, or in another format."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr

from distill.audio.cache.sound_cache import ENVELOPE_HOP, CachedSound
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.training.data.copies_in_split import MOST_COMPARED
from distill.training.data.doctor.sound_measurements import MeasuredSound, check, is_lossy

#: Correlation from which two sounds are duplicates, where one of them is of a lossy coding and where neither is.
LOSSY_CORRELATION, CORRELATION = 0.965, 0.986
#: Correlation from which it is computed between samples too.
_COARSE = 0.5
#: Spectra are compared first, down to so many dB; those of duplicates differ by less in dB on average.
_FLOOR_DB, _SPECTRUM_DB = -40.0, 7.0
#: Least length of the shorter one of two duplicates, relative to the longer.
_LENGTH_RATIO = 0.5
#: Seconds of a sound that are compared, by which its copy may begin earlier or later, and the sample rate.
_COMPARED_S, _SHIFT_S, _RATE = 2.0, 0.25, 12_000
_SIZE, _FINER = 1 << 15, 4
_SHIFT = round(_SHIFT_S * _RATE)
#: By these a spectrum is moved by parts of a sample, ``[_FINER - 1, _SIZE / 2 + 1]``.
_ROTATIONS = np.exp(2j * np.pi * np.outer(np.arange(1, _FINER) / _FINER, np.arange(_SIZE // 2 + 1) / _SIZE)).astype(
    np.complex64
)
#: Samples of the shortest Fourier transform; near what is wanted by less than this, the longest one decides.
_LEAST_SIZE, _CLOSE = 1 << 13, 2e-3
#: Bins of the spectrum at which its bands begin: from 60 Hz to 5 kHz.
_EDGES = np.unique(np.geomspace(60, 5000, 25) / _RATE * _SIZE).astype(np.intp)
#: Share of the energy of each sound that lies in both.
_SHARED = 0.4
#: Level at which a sound begins, relative to its peak.
_BEGIN = 0.02


def find_duplicates(sounds: Sequence[MeasuredSound], cancel_event: threading.Event | None = None) -> list[list[int]]:
    """Return groups of the numbers of sounds that are duplicates, the best one of each group first.

    Of more than `MOST_COMPARED` sounds only equal files and equal samples are found: time grows with the square of
    their number, and memory with it.

    Raises
    ------
    Cancelled
        ``cancel_event`` was set.
    """
    parent = list(range(len(sounds)))

    def root(number: int) -> int:
        while parent[number] != number:
            number = parent[number]
        return number

    known: dict[str, int] = {}
    for number, item in enumerate(sounds):
        for key in filter(None, (item.sound.content_hash, item.sound.audio_hash)):
            parent[root(number)] = root(known.setdefault(key, number))
    beginnings = []
    for item in sounds if len(sounds) <= MOST_COMPARED else ():
        check(cancel_event)
        beginnings.append(_Beginning.of(item.sound))
    for first, second in _alike(beginnings):
        check(cancel_event)
        if root(first) == root(second) or not _as_long(sounds[first], sounds[second]):
            continue
        has_lossy = any(is_lossy(sounds[number].sound) for number in (first, second))
        wanted = LOSSY_CORRELATION if has_lossy else CORRELATION
        if _are_duplicates(beginnings[first], beginnings[second], wanted):
            parent[root(second)] = root(first)
    groups: dict[int, list[int]] = {}
    for number in range(len(sounds)):
        groups.setdefault(root(number), []).append(number)
    duplicates = [group for group in groups.values() if len(group) > 1]
    return [sorted(group, key=lambda number: _rank(sounds[number])) for group in duplicates]


def _as_long(first: MeasuredSound, second: MeasuredSound) -> bool:
    """Whether two sounds are about as long: a loop that begins with a hit is no copy of it."""
    short, long = sorted(item.facts.seconds - item.facts.lead_s - item.facts.tail_s for item in (first, second))
    return short >= _LENGTH_RATIO * long


def _rank(item: MeasuredSound) -> tuple[bool, float, str]:
    """Return the key by which the best of some duplicates comes first: without loss, then the longest."""
    return is_lossy(item.sound), -item.facts.seconds, item.sound.source.name


def _alike(beginnings: Sequence["_Beginning"]) -> Iterator[tuple[int, int]]:
    """Yield the pairs whose spectra are alike."""
    bands = np.array([beginning.bands for beginning in beginnings])
    for number in range(len(beginnings) - 1):
        distance = np.abs(bands[number + 1 :] - bands[number]).mean(axis=1)
        for other in np.flatnonzero(distance <= _SPECTRUM_DB):
            yield number, number + 1 + int(other)


@dataclass(frozen=True)
class _Beginning:
    """The beginning of a sound at a low sample rate: energy up to each sample, spectrum, level of bands in dB."""

    samples: int
    energy: npt.NDArray[np.float64]
    spectrum: npt.NDArray[np.complex64]
    bands: npt.NDArray[np.float64]

    @classmethod
    def of(cls, sound: CachedSound) -> "_Beginning":
        loud = np.flatnonzero(sound.envelope() >= _BEGIN)
        start = max(0, (int(loud[0]) if len(loud) else 0) - 1) * ENVELOPE_HOP
        audio = sound.read(start, min(sound.samples - start, round(_COMPARED_S * SAMPLE_RATE)))
        low = soxr.resample(audio, SAMPLE_RATE, _RATE)[: round(_COMPARED_S * _RATE)].astype(np.float64)
        energy = np.concatenate([[0.0], np.cumsum(low * low)])
        samples = len(low)
        spectrum = np.fft.rfft(low, _SIZE).astype(np.complex64)
        level = 10 * np.log10(np.add.reduceat(np.abs(spectrum) ** 2, _EDGES)[:-1] / np.diff(_EDGES) + 1e-9)
        return cls(samples, energy, spectrum, np.maximum(level - level.max(), _FLOOR_DB))


def _are_duplicates(first: _Beginning, second: _Beginning, wanted: float) -> bool:
    """Whether two sounds correlate as is wanted.

    Short sounds fit into a short transform.  Between samples its values differ a little from those of the longest one.
    """
    size = max(_LEAST_SIZE, 1 << (first.samples + second.samples - 1).bit_length())
    correlation = _correlation(first, second, min(size, _SIZE))
    if size < _SIZE and abs(correlation - wanted) < _CLOSE:
        correlation = _correlation(first, second, _SIZE)
    return correlation >= wanted


def _correlation(first: _Beginning, second: _Beginning, size: int) -> float:
    """Return the largest correlation of two sounds over all shifts, in magnitude, by transforms of so many samples.

    It is computed between samples too where it is not small.
    """
    step = _SIZE // size  # the spectrum of a sound that is followed by less silence has every so many of the bins
    product = first.spectrum[::step] * np.conj(second.spectrum[::step])
    weights = _weights(first, second)
    coarse = float((_near(np.fft.irfft(product, size)) * weights).max())
    if coarse < _COARSE:
        return coarse
    best, earlier = coarse, np.arange(len(weights) - 1)
    for part, rotation in enumerate(_ROTATIONS, 1):
        values = _near(np.fft.irfft(product * rotation[::step], size))[:-1]
        at = np.rint(earlier + part / _FINER).astype(np.intp)
        best = max(best, float((values * weights[at]).max()))
    return best


def _near(products: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return the magnitudes at the shifts that are compared, from the earliest to the latest."""
    magnitudes: npt.NDArray[np.floating] = np.abs(np.concatenate([products[-_SHIFT:], products[: _SHIFT + 1]]))
    return magnitudes


def _weights(first: _Beginning, second: _Beginning) -> npt.NDArray[np.float64]:
    """Return by what a product of two sounds is multiplied at each shift; 0 where they share too little."""
    shifts = np.arange(-_SHIFT, _SHIFT + 1)
    # At a shift s, sample n of the second sound lies on sample n + s of the first.
    shared_first = _between(first, shifts, second.samples + shifts)
    shared_second = _between(second, -shifts, first.samples - shifts)
    allowed = (shared_first >= _SHARED * first.energy[-1]) & (shared_second >= _SHARED * second.energy[-1])
    return np.where(allowed, 1 / np.sqrt(np.maximum(shared_first * shared_second, 1e-12)), 0.0)


def _between(beginning: _Beginning, start: npt.NDArray[np.int_], stop: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
    """Return the energy between samples, which may lie outside."""
    energy = beginning.energy
    return energy.take(stop, mode="clip") - energy.take(start, mode="clip")
