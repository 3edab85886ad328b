"""Two decorrelated channels of a mono sound, whole or block by block."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from distill.audio.decoding.mono_decoder import SAMPLE_RATE, FloatArray

# Allpass filters of `widen` at 48 kHz (delay in samples, coefficient): mutually prime delays of 2 to 9 ms, so that no
# echo of one falls on that of another.
_ALLPASS = ((109, 0.6), (191, 0.6), (283, 0.55), (421, 0.5))
_WIDE_FROM_HZ = 150.0
# Samples by which the copy comes later: what passes all filters at once would make one channel louder than the other.
_APART = 97
#: Samples over which the copy is faded out: the filters ring on when the sound is over.
_FADE = SAMPLE_RATE // 100
_BLOCK = 1 << 16

Float64Array = npt.NDArray[np.float64]


def widen(samples: FloatArray) -> FloatArray:
    """Return two decorrelated channels ``[samples, 2]`` of a mono sound whose sum is the sound itself.

    What one channel has more of the other has less of: a copy of the sound with scattered phases (Schroeder 1961,
    "Colorless artificial reverberation": allpass filters in a row), without its lowest octaves, whose place nobody
    hears and which a club adds up to mono.  Played in mono nothing is lost.
    """
    if not len(samples):
        return np.zeros((0, 2), np.float32)
    wide: FloatArray = np.concatenate(list(widen_stream([samples])))
    return wide


def widen_stream(blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    """Yield what `widen` makes of a sound, in blocks ``[n, 2]``."""
    delayed = _Delay()
    allpasses = [_Allpass(delay, coefficient) for delay, coefficient in _ALLPASS]
    low = _OnePole(_WIDE_FROM_HZ)

    def wide(middle: FloatArray, side: Float64Array) -> FloatArray:
        result: FloatArray = (np.stack([middle + side, middle - side], axis=1) / np.sqrt(2.0)).astype(np.float32)
        return result

    middle, side = np.zeros(0, np.float32), np.zeros(0)
    for block in _even_blocks(blocks):
        copy = delayed.filter(block.astype(np.float64))
        for allpass in allpasses:
            copy = allpass.filter(copy)
        middle, side = np.concatenate([middle, block]), np.concatenate([side, copy - low.filter(copy)])
        ready = len(middle) - _FADE  # the end may be near
        if ready > 0:
            yield wide(middle[:ready], side[:ready])
            middle, side = middle[ready:], side[ready:]
    side *= np.linspace(1.0, 0.0, len(side)) if len(side) else 1.0
    if len(middle):
        yield wide(middle, side)


def _even_blocks(blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    """Yield blocks of `_BLOCK` samples, the last one shorter: the result does not depend on how the sound comes."""
    waiting: list[FloatArray] = []
    found = 0
    for block in blocks:
        waiting.append(block)
        found += len(block)
        if found >= _BLOCK:
            whole = np.concatenate(waiting)
            end = found // _BLOCK * _BLOCK
            for start in range(0, end, _BLOCK):
                yield whole[start : start + _BLOCK]
            waiting, found = [whole[end:]], found - end
    if found:
        yield np.concatenate(waiting)


class _Delay:
    """Delays by `_APART` samples."""

    def __init__(self) -> None:
        self._held = np.zeros(_APART)

    def filter(self, signal: Float64Array) -> Float64Array:
        """Return the next samples."""
        whole = np.concatenate([self._held, signal])
        self._held = whole[len(signal) :]
        return whole[: len(signal)]


class _Allpass:
    """Computes ``y[n] = -g x[n] + x[n - delay] + g y[n - delay]``, at most ``delay`` samples at a time."""

    def __init__(self, delay: int, g: float) -> None:
        self._delay, self._g = delay, g
        self._in, self._out = np.zeros(delay), np.zeros(delay)  # the last ones

    def filter(self, signal: Float64Array) -> Float64Array:
        """Return the next samples."""
        delay, g = self._delay, self._g
        given = np.concatenate([self._in, signal])
        result = np.concatenate([self._out, np.empty(len(signal))])
        for start in range(0, len(signal), delay):
            end = min(start + delay, len(signal))
            before = slice(start, end)
            now = slice(start + delay, end + delay)
            result[now] = given[before] + g * result[before] - g * given[now]
        self._in, self._out = given[len(signal) :], result[len(signal) :]
        return result[delay:]


class _OnePole:
    """The part of a signal under a frequency: an exponential average, by convolution with its response."""

    def __init__(self, cutoff_hz: float) -> None:
        pole = np.exp(-2 * np.pi * cutoff_hz / SAMPLE_RATE)
        self._length = int(np.log(1e-5) / np.log(pole))
        self._size = 1 << (_BLOCK + self._length).bit_length()
        self._spectrum = np.fft.rfft((1 - pole) * pole ** np.arange(self._length), self._size)
        self._carried = np.zeros(self._length)

    def filter(self, signal: Float64Array) -> Float64Array:
        """Return the next samples, at most `_BLOCK` of them."""
        count = len(signal)
        convolved = np.fft.irfft(np.fft.rfft(signal, self._size) * self._spectrum, self._size)[: count + self._length]
        convolved[: self._length] += self._carried
        self._carried = convolved[count:]
        return convolved[:count]
