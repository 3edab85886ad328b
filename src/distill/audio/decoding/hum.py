"""Finds the hum of the mains in a sound, and removes it.

A hum has the same level and the same phase all the time.  A sound is shifted by the mains frequency and each of its
harmonics and averaged over short blocks.  Blocks in which little else is near the frequency count most, so that a bass
at the same frequency hardly changes what is taken for hum.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import soxr

FloatArray = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

#: Mains frequencies in Hz, and the deviations from them that are tried.
MAINS = (50.0, 60.0)
_DRIFTS = (-0.1, -0.05, 0.0, 0.05, 0.1)
#: Harmonics that are looked for, and those that are removed.
_HARMONICS, _REMOVED = 6, 20
#: Sample rate and length of a block in seconds, and the shortest sound that a hum can be heard in.
_RATE, _BLOCK_S, _SHORTEST_S = 1600, 0.25, 0.8
#: How sure it must be that a part is steady: excess over what changes, share of all, level relative to what is around.
_EXCESS, _SHARE, _LOUDNESS = 8.0, 0.7, 1.5
#: Excess from which one harmonic is certain by itself.
_CERTAIN = 12.0
#: Seconds from the beginning in which a hum is looked for.
_LOOKED_AT_S = 20.0
#: Length of the stretches in which hum is removed, in seconds; they overlap by half.
_STRETCH_S = 4.0


def find_hum(audio: FloatArray, rate: int) -> tuple[float, float, float]:
    """Return mains frequency, level in dB of full scale, and certainty of a hum; 0 Hz where a sound is too short.

    The certainty is the number of steady harmonics, and one more where one of them is beyond doubt.
    """
    if len(audio) < _SHORTEST_S * rate:
        return 0.0, -120.0, 0.0
    audio = audio[: round(_LOOKED_AT_S * rate)]
    blocks = _Blocks(soxr.resample(audio, rate, _RATE).astype(np.float64), _RATE)
    best = (0.0, 1e-12, 0.0)
    for hz in MAINS:
        weights = [blocks.weights(hz * n) for n in range(1, _HARMONICS + 1)]
        for drift in _DRIFTS:
            harmonics = [blocks.steady_part((hz + drift) * n, weight) for n, weight in enumerate(weights, 1)]
            steady = [(abs(amplitude), excess) for amplitude, excess in harmonics if excess > 0]
            certainty = len(steady) + (max((excess for _, excess in steady), default=0.0) >= _CERTAIN)
            best = max(best, (float(certainty), sum(amplitude**2 for amplitude, _ in steady) + 1e-12, hz))
    return best[2], 10 * float(np.log10(best[1])), best[0]


class _Blocks:
    """Overlapping blocks of a sound, in which frequencies are looked for."""

    def __init__(self, audio: Numbers, rate: int) -> None:
        size = round(_BLOCK_S * rate)
        self._blocks = np.lib.stride_tricks.sliding_window_view(audio, size)[:: size // 4]
        self._at, self._starts = np.arange(size), np.arange(len(self._blocks)) * (size // 4)
        self._window, self._rate = np.hanning(size) / (size / 2), rate

    def _demodulated(self, hz: float) -> npt.NDArray[np.complex128]:
        turn = -2j * np.pi * hz / self._rate
        return np.asarray((self._blocks @ (self._window * np.exp(turn * self._at))) * np.exp(turn * self._starts))

    def weights(self, hz: float) -> Numbers:
        """Return how much each block says of a frequency: more, the less there is beside it."""
        # The median, so that a note on one side does not hide the hum.
        around = np.median([np.abs(self._demodulated(hz + by)) ** 2 for by in (-20, -12, 12, 20)], axis=0) + 1e-10
        weights = 1 / around
        return np.asarray(np.minimum(weights, np.sort(weights)[-max(1, len(weights) // 8)]))  # no block decides alone

    def steady_part(self, hz: float, weights: Numbers) -> tuple[complex, float]:
        """Return the amplitude of what is steady at a frequency, and how far it exceeds the rest (0: too little)."""
        values = self._demodulated(hz)
        mean = complex((weights * values).sum() / weights.sum())
        explained = abs(mean) ** 2 * weights.sum() / ((weights * np.abs(values) ** 2).sum() + 1e-30)
        counting = weights.sum() ** 2 / (weights**2).sum() / 2.5  # blocks overlap
        excess = explained / (1 - explained + 1e-6) * max(counting - 1, 0.01)
        loudness = np.sqrt(abs(mean) ** 2 * weights.sum() / len(weights))
        is_steady = excess > _EXCESS and explained > _SHARE and loudness > _LOUDNESS
        # Half of a real wave lies at the negative frequency.
        return 2 * mean, float(excess) if is_steady else 0.0


class HumFilter:
    """Takes the hum of the mains out of a sound, block by block; what comes out is as long as what goes in.

    What is subtracted is steady over seconds: decays and notes at the same frequencies stay.

    Parameters
    ----------
    hz
        Mains frequency.
    rate
        Sample rate in Hz.
    """

    def __init__(self, hz: float, rate: int) -> None:
        self._hz, self._rate = hz, rate
        self._half = round(_STRETCH_S / 2 * rate)

    def filter(self, blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """Yield the filtered sound ``[n]`` of blocks ``[n]``, ``n`` varying."""
        waiting, before = np.empty(0, np.float32), None
        for block in blocks:
            waiting = np.concatenate([waiting, block])
            while len(waiting) >= 2 * self._half:
                hum = self._hum(waiting[: 2 * self._half])
                yield self._without(waiting[: self._half], hum[: self._half], before)
                before, waiting = hum[self._half :], waiting[self._half :]
        if len(waiting):
            yield self._without(waiting, self._hum(waiting), before)

    def _without(self, audio: FloatArray, hum: Numbers, before: Numbers | None) -> FloatArray:
        """Return audio without its hum, which is cross-faded with the estimate of the stretch before."""
        if before is not None:
            count = min(len(before), len(hum))
            rise = np.linspace(0, 1, len(before), endpoint=False)[:count]
            hum = np.concatenate([before[:count] * (1 - rise) + hum[:count] * rise, hum[count:]])
        return np.asarray(audio - hum, np.float32)

    def _hum(self, audio: FloatArray) -> Numbers:
        """Return the hum in a stretch."""
        hum = np.zeros(len(audio))
        if len(audio) < _BLOCK_S * self._rate * 2:
            return hum
        low_rate = 2 * self._rate // 16  # 6 kHz for 48 kHz
        low = soxr.resample(audio, self._rate, low_rate).astype(np.float64)
        blocks = _Blocks(low, low_rate)
        weights = [blocks.weights(self._hz * n) for n in range(1, _REMOVED + 1)]
        tried = {
            drift: sum(blocks.steady_part((self._hz + drift) * n, weights[n - 1])[1] for n in (1, 2, 3))
            for drift in _DRIFTS
        }
        hz = self._hz + max(tried, key=lambda drift: tried[drift])
        seconds = np.arange(len(audio)) / self._rate
        for number in range(1, _REMOVED + 1):
            amplitude, excess = blocks.steady_part(hz * number, weights[number - 1])
            if excess > 0:
                hum += (amplitude * np.exp(2j * np.pi * hz * number * seconds)).real
        return hum
