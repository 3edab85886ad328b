"""Removes an offset and infrasound from a sound, without a shift in time.

A converter's DC offset and the rumble of a stage or a ventilator are inaudible, but they count: the peak is measured
with them, and a model that learns them draws new sounds that consist of little else.  So they are removed before levels
are measured.

The filter subtracts a low-passed copy made by a symmetric FIR filter (Kaiser window, 80 dB).  It is flat to 0.01 dB
from 25 Hz on (the lowest A of a piano has 27.5 Hz), at -6 dB at 20 Hz, the limit of hearing, and at -80 dB under 15 Hz.
A symmetric filter has no phase: transients keep their shape, where an IIR filter of the same slope would smear a kick
drum.

At its ends a sound is continued by its mean, so that an offset is removed to the first and the last sample, and what is
subtracted beyond the mean is faded in and out, so that no sound begins or ends with a click that it did not have.
(Mirror images were tried: a sine of 100 Hz that begins at zero then starts with a step of 13 %.)
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

#: Frequency in Hz at which half of the amplitude is left.
CORNER_HZ = 20.0
_TRANSITION_HZ = 10.0  # from -80 dB to flat
_STOP_DB = 80.0
_FFT = 1 << 17
_MEAN_S = 10.0  # of the beginning: how much of it the mean is taken of
_FADE_S = 0.005


def _low_pass(rate: int) -> npt.NDArray[np.float64]:
    """Return the taps of the low-pass, an odd number (Kaiser's design formulas, Oppenheim and Schafer 7.6)."""
    half = int(np.ceil((_STOP_DB - 7.95) / (2.285 * 2 * np.pi * _TRANSITION_HZ / rate) / 2))
    tap = np.arange(-half, half + 1)
    beta = 0.1102 * (_STOP_DB - 8.7)
    taps = np.sinc(2 * CORNER_HZ / rate * tap) * np.kaiser(2 * half + 1, beta)
    return np.asarray(taps / taps.sum())


class InfrasoundFilter:
    """Filters a sound block by block; what comes out is as long as what goes in.

    Parameters
    ----------
    rate
        Sample rate in Hz.
    """

    def __init__(self, rate: int) -> None:
        taps = _low_pass(rate)
        self._half = len(taps) // 2
        self._size = max(_FFT, 1 << (4 * len(taps) - 1).bit_length())
        self._response = np.fft.rfft(taps, self._size)
        self._first = round(_MEAN_S * rate)
        # Less than half a window: what is faded lies in the first and in the last run.
        self._fade = np.square(np.sin(np.linspace(0, np.pi / 2, round(_FADE_S * rate), endpoint=False)))
        self._waiting: list[FloatArray] = []
        self._count = 0
        self._context: FloatArray | None = None  # the samples before the waiting ones

    def filter(self, blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
        """Yield the filtered sound ``[n]`` of blocks ``[n]``, ``n`` varying."""
        for block in blocks:
            self._waiting.append(block)
            self._count += len(block)
            if self._count >= (self._first if self._context is None else self._size - 2 * self._half):
                yield self._run(is_last=False)
        if self._count or self._context is not None:
            yield self._run(is_last=True)

    def _run(self, is_last: bool) -> FloatArray:
        """Filter the waiting samples but for the last half window, which needs what follows it."""
        audio = np.concatenate(self._waiting) if self._waiting else np.empty(0, np.float32)
        before = after = None
        if self._context is None:
            before = np.float32(audio.mean(dtype=np.float64))
            audio = np.pad(audio, (self._half, 0), constant_values=before)
        else:
            audio = np.concatenate([self._context, audio])
        if is_last:
            after = before if before is not None else np.float32(audio.mean(dtype=np.float64))
            audio = np.pad(audio, (0, self._half), constant_values=after)
        self._context, self._waiting, self._count = audio[-2 * self._half :].copy(), [], 0
        low = self._low_passed(audio)
        if before is not None:
            count = min(len(self._fade), len(low))
            low[:count] = before + (low[:count] - before) * self._fade[:count]
        if after is not None:
            count = min(len(self._fade), len(low))
            low[len(low) - count :] = after + (low[len(low) - count :] - after) * self._fade[:count][::-1]
        return np.asarray(audio[self._half : len(audio) - self._half] - low, np.float32)

    def _low_passed(self, audio: FloatArray) -> npt.NDArray[np.float64]:
        """Return the low-passed copy of ``audio`` but for half a window at either end (overlap-save)."""
        step = self._size - 2 * self._half
        low = np.empty(len(audio) - 2 * self._half)
        for at in range(0, len(low), step):
            spectrum = np.fft.rfft(audio[at : at + self._size], self._size) * self._response
            count = min(step, len(low) - at)
            low[at : at + count] = np.fft.irfft(spectrum, self._size)[2 * self._half :][:count]
        return low
