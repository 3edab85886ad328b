"""Finds the part of a steady sound that a sampler can repeat without a click."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

#: A sound shorter than this has no loop, in seconds.
_LEAST_SOUND_S = 0.4
#: Shortest loop, in seconds: a shorter one sounds like a buzz of its own.
_LEAST_LOOP_S = 0.15
#: Longest loop, in seconds, as long as the longest generated sound: memory grows with it.
_MOST_LOOP_S = 30.0
#: Part of the sound in which loop points are sought: after the attack, before the end.
_EARLIEST, _LATEST = 0.25, 0.95
#: Samples around both loop points that are compared, in seconds.
_COMPARED_S = 0.02
#: Likeness (1: equal) that the samples around both points must have.
_LEAST_LIKENESS = 0.985
#: Level by which they may differ, in decibels.  A decaying sound would become a stuttering one.
_LEVEL_DB = 0.6


@dataclass(frozen=True)
class SampleLoop:
    """A loop: the sample after ``end - 1`` is ``start``.

    Attributes
    ----------
    start, end
        First sample of the loop, and the one after its last.
    likeness
        Normalised correlation of the samples around both points; 1 for a loop that cannot be heard.
    """

    start: int
    end: int
    likeness: float


def find_loop(audio: npt.NDArray[np.floating[Any]], hertz: float, sample_rate: int = 48_000) -> SampleLoop | None:
    """Return the best loop of a pitched sound, or None where no loop would be free of clicks.

    The longest of the loops that are nearly as good as the best one is returned.

    Parameters
    ----------
    audio
        ``[samples]``, mono.
    hertz
        Its pitch: a loop holds a whole number of periods.
    sample_rate
        Hz.
    """
    samples = np.asarray(audio, np.float64)
    if len(samples) < _LEAST_SOUND_S * sample_rate:
        return None
    half = round(_COMPARED_S * sample_rate / 2)
    first, last = round(_EARLIEST * len(samples)), round(_LATEST * len(samples))
    least = round(_LEAST_LOOP_S * sample_rate)
    found: list[SampleLoop] = []
    for end in np.linspace(first + least, last - half, 9).astype(int):
        if end - half < first + least:
            continue
        earliest = max(first, int(end) - round(_MOST_LOOP_S * sample_rate))
        loop = _best_start(samples, int(end), earliest, least, half)
        if loop is not None and _is_whole_periods(loop, hertz, sample_rate):
            found.append(loop)
    if not found:
        return None
    best = max(loop.likeness for loop in found)
    return max((loop for loop in found if loop.likeness >= best - 0.003), key=lambda loop: loop.end - loop.start)


def _best_start(samples: npt.NDArray[np.float64], end: int, first: int, least: int, half: int) -> SampleLoop | None:
    """Return the loop to ``end`` whose start is most like its end, or None where none is like it enough."""
    around_end = samples[end - half : end + half]
    searched = samples[max(0, first - half) : end - least + half]
    if len(around_end) < 2 * half or len(searched) <= 2 * half:
        return None
    size = 1 << (len(searched) + len(around_end)).bit_length()
    product = np.fft.irfft(np.fft.rfft(searched, size) * np.conj(np.fft.rfft(around_end, size)), size)
    count = len(searched) - 2 * half + 1
    squares = np.cumsum(np.pad(np.square(searched), (1, 0)))
    energy = squares[2 * half :] - squares[: len(squares) - 2 * half]
    end_energy = float(np.square(around_end).sum())
    likeness = product[:count] / np.sqrt(np.maximum(energy * end_energy, 1e-12))
    level = 10 * np.log10(np.maximum(energy, 1e-12) / max(end_energy, 1e-12))
    likeness[np.abs(level) > _LEVEL_DB] = -1.0
    best_start = int(likeness.argmax())
    if likeness[best_start] < _LEAST_LIKENESS:
        return None
    # The earliest start that is nearly as good gives the longest loop.
    best_start = int(np.flatnonzero(likeness >= max(_LEAST_LIKENESS, likeness[best_start] - 0.002))[0])
    near = likeness[best_start : best_start + half]
    best_start += int(near.argmax())
    return SampleLoop(max(0, first - half) + best_start + half, end, float(likeness[best_start]))


def _is_whole_periods(loop: SampleLoop, hertz: float, sample_rate: int) -> bool:
    """Return whether repeating the loop keeps the pitch within a few cents."""
    periods = (loop.end - loop.start) * hertz / sample_rate
    return round(periods) >= 1 and abs(1200 * np.log2(periods / round(periods))) < 5.0
