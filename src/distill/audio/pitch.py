"""Estimates the pitch of a sound, and returns none where the sound has no single steady pitch.

The method is that of McLeod and Wyvill 2005, "A smarter way to find pitch": the normalised square difference function
of short frames.  Its first high peak is the period.  The period is then refined at multiples of itself, where the same
error of a sample weighs less.  A sound has a pitch when most of its energy lies in frames that are periodic and agree.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

#: Range of pitches in Hz: from the lowest to the highest key of a piano.
LOWEST_HZ, HIGHEST_HZ = 27.0, 4200.0

_NOTE_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

_FRAME_S, _HOP_S = 4096 / 48_000, 1024 / 48_000
#: Frames that are transformed at once: 4 MB, and some transforms of them.
_FRAMES_AT_ONCE = 128
#: Share of the highest peak that the first period's peak must reach, as in the paper.
_FIRST_PEAK = 0.9
#: Height of the peak (1: exactly periodic) from which a frame counts as periodic.
_CLEAR = 0.9
#: Share of the sound's weight that must be periodic, and share of that which must agree with the median.
_PERIODIC_SHARE, _AGREEING_SHARE = 0.6, 0.8
#: Distance from the median in cents within which frames agree.
_AGREEMENT_CENTS = 15.0
#: Frames softer than this share of the loudest one are ignored (-40 dB).
_SOFT = 0.01
#: Level, relative to the strongest harmonic, that one of the first three harmonics must have.  A chord has a common
#: period far below its notes, where it has no energy.
_LOW_HARMONIC = 10 ** (-25 / 10)

Samples = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Pitch:
    """The pitch of a sound.

    Attributes
    ----------
    hertz
        Fundamental frequency.
    clarity
        Weighted mean height of the frames' peaks; 1 for an exactly periodic sound.
    """

    hertz: float
    clarity: float

    @property
    def midi(self) -> float:
        """MIDI note with its fraction; 69 is A4, 440 Hz."""
        return float(69 + 12 * np.log2(self.hertz / 440))

    @property
    def key(self) -> int:
        """Nearest MIDI note."""
        return round(self.midi)

    @property
    def cents(self) -> float:
        """Cents by which the pitch is above the nearest MIDI note."""
        return 100 * (self.midi - self.key)

    @property
    def name(self) -> str:
        """Name of the nearest note; C4 is MIDI note 60."""
        return note_name(self.key)


def note_name(key: int) -> str:
    """Return the name of a MIDI note, for instance ``"C#4"``; C4 is note 60."""
    return f"{_NOTE_NAMES[key % 12]}{key // 12 - 1}"


def estimate_pitch(audio: Samples, sample_rate: int = 48_000) -> Pitch | None:
    """Return the pitch of a sound, or None where it has no single steady one.

    Parameters
    ----------
    audio
        ``[samples]``, mono.
    sample_rate
        Hz.
    """
    frames = _frames(np.asarray(audio, np.float64), sample_rate)
    if frames is None:
        return None
    loud = np.concatenate([np.sqrt(np.square(part).mean(axis=1)) for part in _centred(frames)])
    kept = np.flatnonzero(loud > max(_SOFT * loud.max(), 1e-6))
    weight = loud[kept]
    if not len(kept):
        return None
    estimates = [
        _period(row, sample_rate) for part in _centred(frames, kept) for row in _square_difference(part)
    ]  # fmt: skip
    periods = np.array([period for period, _ in estimates])
    clarity = np.array([height for _, height in estimates])
    clear = (clarity >= _CLEAR) & (periods > 0)
    if weight[clear].sum() < _PERIODIC_SHARE * weight.sum():
        return None
    notes = 1200 * np.log2(sample_rate / periods[clear])
    middle = _weighted_median(notes, weight[clear])
    agree = np.abs(notes - middle) <= _AGREEMENT_CENTS
    if weight[clear][agree].sum() < _AGREEING_SHARE * weight[clear].sum():
        return None
    hertz = float(2 ** (_weighted_median(notes[agree], weight[clear][agree]) / 1200))
    if not _has_low_harmonic(_centred(frames, kept[clear][agree]), hertz, sample_rate):
        return None
    return Pitch(hertz, float(np.average(clarity[clear][agree], weights=weight[clear][agree])))


def _frames(audio: npt.NDArray[np.float64], sample_rate: int) -> npt.NDArray[np.float64] | None:
    """Return overlapping frames ``[n, size]`` as a view, or None for a sound that is too short."""
    size, hop = round(_FRAME_S * sample_rate), round(_HOP_S * sample_rate)
    size = min(size, len(audio))
    if size < round(4 * sample_rate / HIGHEST_HZ) + 8:
        return None
    return np.lib.stride_tricks.sliding_window_view(audio, size)[::hop]


def _centred(
    frames: npt.NDArray[np.float64], rows: npt.NDArray[np.intp] | None = None
) -> Iterator[npt.NDArray[np.float64]]:
    """Yield frames ``[n, size]``, or some rows of them, without their mean and some at a time."""
    for first in range(0, len(frames) if rows is None else len(rows), _FRAMES_AT_ONCE):
        span = slice(first, first + _FRAMES_AT_ONCE)
        part = frames[span] if rows is None else frames[rows[span]]
        yield part - part.mean(axis=1, keepdims=True)


def _square_difference(frames: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the normalised square difference function ``[n, lags]`` for lags up to half a frame."""
    size = frames.shape[1]
    spectrum = np.fft.rfft(frames, 2 * size)
    correlation = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)[:, : size // 2]
    squares = np.cumsum(np.pad(np.square(frames), ((0, 0), (1, 0))), axis=1)
    lags = np.arange(size // 2)
    energy = squares[:, size - lags] + squares[:, [size]] - squares[:, lags]
    result: npt.NDArray[np.float64] = 2 * correlation / np.maximum(energy, 1e-12)
    return result


def _period(difference: npt.NDArray[np.float64], sample_rate: int) -> tuple[float, float]:
    """Return the period in samples and the height of its peak; ``(0, 0)`` where there is none."""
    first = max(2, int(sample_rate / HIGHEST_HZ))
    last = min(len(difference) - 1, int(sample_rate / LOWEST_HZ) + 1)
    below = np.flatnonzero(difference[:last] < 0)
    if not len(below):
        return 0.0, 0.0
    inner = difference[1:-1]
    peaks = 1 + np.flatnonzero((inner > difference[:-2]) & (inner >= difference[2:]) & (inner > 0))
    peaks = peaks[(peaks > below[0]) & (peaks >= first)]
    candidates = [_parabola(difference, int(peak)) for peak in peaks if peak < last]
    if not candidates:
        return 0.0, 0.0
    limit = _FIRST_PEAK * max(height for _, height in candidates)
    period, height = next(found for found in candidates if found[1] >= limit)
    return _refine(difference, peaks, period, height), height


def _refine(difference: npt.NDArray[np.float64], peaks: npt.NDArray[np.intp], period: float, height: float) -> float:
    """Return a period measured at the furthest multiple of it that is still a high peak."""
    refined = period
    for multiple in range(2, int((len(difference) - 2) / period) + 1):
        expected = multiple * refined
        nearest = int(peaks[np.abs(peaks - expected).argmin()])
        position, level = _parabola(difference, nearest)
        if abs(position - expected) > max(1.5, 0.02 * period) or level < 0.9 * height:
            break
        refined = position / multiple
    return refined


def _parabola(values: npt.NDArray[np.float64], peak: int) -> tuple[float, float]:
    """Return position and height of the parabola through a peak and its neighbours."""
    before, at, after = values[peak - 1 : peak + 2]
    curvature = before - 2 * at + after
    shift = 0.0 if curvature >= 0 else 0.5 * (before - after) / curvature
    return peak + shift, float(min(1.0, at - 0.25 * (before - after) * shift))


def _weighted_median(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(share, 0.5 * share[-1])])


def _has_low_harmonic(parts: Iterable[npt.NDArray[np.float64]], hertz: float, sample_rate: int) -> bool:
    """Return whether one of the first three harmonics is not far below the strongest one, in frames ``[n, size]``."""
    size, sums = 0, list[npt.NDArray[np.float64]]()
    for frames in parts:
        size = frames.shape[1]
        sums.append(np.square(np.abs(np.fft.rfft(frames * np.hanning(size), 4 * size))).sum(axis=0))
    power = np.sum(sums, axis=0)
    step = sample_rate / (4 * size)
    half = max(1, round(0.03 * hertz / step))
    centres = np.round(np.arange(1, int(sample_rate / 2 / hertz)) * hertz / step).astype(int)
    levels = np.array([power[max(0, c - half) : c + half + 1].max() for c in centres if c < len(power)])
    return bool(len(levels) and levels[:3].max() >= _LOW_HARMONIC * levels.max())
