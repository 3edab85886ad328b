"""Makes a mono sound stereo, so that the mix of its channels is the sound itself.

`render` gives it an image.  What the channels do not have in common is a copy of the sound with scattered phases
(Schroeder 1961, "Colorless artificial reverberation", here by one short noise), which is freed of what it has in common
with the sound and brought to its level, band for band and frame for frame: attacks stay attacks.

`widen` knows no image: it makes two channels that have little in common.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.audio.stereo.stereo_image import (
    BAND_OF_BIN,
    COLUMN_FRAMES,
    FRAME,
    HOP,
    MIX,
    RIGHT,
    WINDOW,
    ComplexArray,
    FloatArray,
    StereoImage,
    band_sums,
    frames_of,
)

#: Samples that are computed at once, and around them, on which they depend; and around the sound, in silence.
_BLOCK, _MARGIN, _EDGE = 192 * HOP, 16 * HOP, 6 * HOP
#: Samples of the noise that phases are scattered by, and the time in which it decays by 60 dB.
_SCATTER, _DECAY = 1024, 900
#: Largest gain that brings the scattered copy to the level of the sound: 24 dB.
_MOST_GAIN = 16.0
#: Times that it is freed and levelled again, and its amplitude from which it is heard.
_ROUNDS, _LEAST = 1, 1e-3
_TINY = np.float32(1e-20)

# Allpass filters of `widen` at 48 kHz (delay in samples, coefficient): mutually prime delays of 2 to 9 ms, so that no
# echo of one falls on that of another.
_ALLPASS = ((109, 0.6), (191, 0.6), (283, 0.55), (421, 0.5))
_WIDE_FROM_HZ = 150.0
# Samples by which the copy comes later: what passes all filters at once would make one channel louder than the other.
_APART = 97
#: Samples over which the copy is faded out: the filters ring on when the sound is over.
_WIDE_FADE = SAMPLE_RATE // 100
_WIDE_BLOCK = 1 << 16

Float64Array = npt.NDArray[np.float64]
#: What `StereoImage.shares` returns.
Shares = tuple[FloatArray, FloatArray]


def _scatter_noise() -> npt.NDArray[np.float64]:
    """Return the noise, whose spectrum has the same magnitude everywhere; it is always the same."""
    state, values = 12345, []
    for _ in range(_SCATTER):
        state = (1103515245 * state + 12345) % 2**31
        values.append(state / 2**30 - 1)
    noise = np.array(values) * 10 ** (-3 * np.arange(_SCATTER) / _DECAY)
    spectrum = np.fft.rfft(noise, _SCATTER)
    flat: npt.NDArray[np.float64] = np.fft.irfft(spectrum / np.abs(spectrum), _SCATTER)
    return flat


@lru_cache(maxsize=8)
def _scatter_spectrum(size: int) -> ComplexArray:
    """Return the spectrum of the noise for a transform of ``size`` samples."""
    spectrum: ComplexArray = np.fft.rfft(_NOISE, size).astype(np.complex64)
    return spectrum


def render(mono: FloatArray, image: StereoImage) -> FloatArray:
    """Return the channels ``[2, N]`` of a sound ``[N]``: left and right."""
    channels: FloatArray = np.concatenate(list(render_stream([mono], image))).T
    return np.ascontiguousarray(channels)


def render_stream(blocks: Iterable[FloatArray], image: StereoImage) -> Iterator[FloatArray]:
    """Yield what `render` makes of a sound, in blocks ``[n, 2]``."""
    for block, second in _second_stream(blocks, image):
        yield np.stack(join(block, second, image.base), axis=1)


def second_signal(mono: FloatArray, image: StereoImage) -> FloatArray:
    """Return the second signal ``[N]`` of a sound ``[N]``; see `distill.audio.stereo.stereo_image`."""
    signal: FloatArray = np.concatenate([second for _, second in _second_stream([mono], image)])
    return signal


def join(base: FloatArray, second: FloatArray, kind: int) -> tuple[FloatArray, FloatArray]:
    """Return left and right of a base and the second signal."""
    if kind == MIX:
        return base + second, base - second
    return (second, base) if kind == RIGHT else (base, second)


def divide(channels: FloatArray, kind: int) -> tuple[FloatArray, FloatArray]:
    """Return the base and the second signal of left and right ``[2, N]``."""
    left, right = channels
    if kind == MIX:
        return (left + right) / 2, (left - right) / 2
    return (right, left) if kind == RIGHT else (left, right)


def _second_stream(blocks: Iterable[FloatArray], image: StereoImage) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield parts of the sound with their second signal."""
    base: FloatArray = np.zeros(_EDGE, np.float32)  # begins `lead` samples before the part that comes next
    begin, lead, shares = 0, _EDGE, image.shares()
    for block in blocks:
        base = np.concatenate([base, block])
        while len(base) >= lead + _BLOCK + _MARGIN:
            yield _part(base[: lead + _BLOCK + _MARGIN], lead, begin, _BLOCK, shares)
            base, begin, lead = base[lead + _BLOCK - _MARGIN :], begin + _BLOCK, _MARGIN
    left = len(base) - lead
    base = np.pad(base, (0, _EDGE + -left % HOP))
    while left > 0:
        count = min(_BLOCK, left)
        yield _part(base[: lead + _BLOCK + _MARGIN], lead, begin, count, shares)
        base, begin, left, lead = base[lead + count - _MARGIN :], begin + count, left - count, _MARGIN


def _part(line: FloatArray, lead: int, begin: int, count: int, shares: Shares) -> tuple[FloatArray, FloatArray]:
    """Return ``count`` samples from ``begin`` on and their second signal; ``line`` begins ``lead`` samples earlier."""
    first_frame, frames = (begin - lead + FRAME // 2) // HOP, (len(line) - FRAME) // HOP + 1
    same, other = (_frame_values(values, first_frame, frames) for values in shares)
    if max(float(np.abs(same).max()), float(other.max())) < _LEAST:  # two equal channels
        return line[lead : lead + count].copy(), np.zeros(count, np.float32)
    spectra = frames_of(line)
    second = spectra * same[:, BAND_OF_BIN]
    if float(other.max()) >= _LEAST:
        unlike = _unlike(spectra, frames_of(_scattered(line)))
        for _ in range(_ROUNDS):  # overlapped frames are less unlike than each by itself
            unlike = _unlike(spectra, frames_of(_overlapped(unlike, len(line))))
        second += unlike * other[:, BAND_OF_BIN]
    part = slice(lead, lead + count)
    return line[part].copy(), _overlapped(second, len(line))[part]


def _frame_values(values: FloatArray, first: int, count: int) -> FloatArray:
    """Return an image's values ``[columns, BANDS]`` at frames ``[count, BANDS]``."""
    column = ((first + np.arange(count)) / COLUMN_FRAMES).clip(0, len(values) - 1)
    low = np.floor(column).astype(int)
    high, share = np.minimum(low + 1, len(values) - 1), (column - low).astype(np.float32)[:, None]
    frame_values: FloatArray = values[low] + share * (values[high] - values[low])
    return frame_values


def _scattered(line: FloatArray) -> FloatArray:
    size = -(-(len(line) + _SCATTER) // 4096) * 4096  # of small prime factors
    copy = np.fft.irfft(np.fft.rfft(line, size) * _scatter_spectrum(size), size)[: len(line)]
    return copy.astype(np.float32, copy=False)


def _unlike(spectra: ComplexArray, copy: ComplexArray) -> ComplexArray:
    """Return the copy without what it has in common with the sound, at the sound's level; ``[frames, bins]`` each."""
    power = _smooth(band_sums(spectra.real**2 + spectra.imag**2))
    common = _smooth(band_sums((copy * spectra.conj()).real)) / (power + _TINY)
    freed: ComplexArray = copy - spectra * common[:, BAND_OF_BIN]
    freed_power = _smooth(band_sums(freed.real**2 + freed.imag**2))
    freed *= np.minimum(np.sqrt(power / (freed_power + _TINY)), _MOST_GAIN)[:, BAND_OF_BIN]
    return freed


def _smooth(values: FloatArray) -> FloatArray:
    """Return values ``[frames, BANDS]`` as means over three frames."""
    padded = np.pad(values, ((1, 1), (0, 0)))
    mean: FloatArray = (padded[:-2] + padded[1:-1] + padded[2:]) / np.float32(3)
    return mean


def _overlapped(spectra: ComplexArray, samples: int) -> FloatArray:
    """Return the signal ``[samples]`` of spectra ``[frames, bins]``; its first and last frame are incomplete."""
    frames = np.fft.irfft(spectra, FRAME, axis=1).astype(np.float32) * (WINDOW / np.float32(1.5))
    count, overlap = len(frames), FRAME // HOP
    signal: FloatArray = np.zeros(((count - 1) + overlap, HOP), np.float32)
    for number in range(overlap):
        signal[number : number + count] += frames[:, number * HOP : (number + 1) * HOP]
    line = signal.reshape(-1)
    return np.pad(line, (0, max(0, samples - len(line))))[:samples]


_NOISE = _scatter_noise()


# --- width without an image ---------------------------------------------------------------------------------------


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
        ready = len(middle) - _WIDE_FADE  # the end may be near
        if ready > 0:
            yield wide(middle[:ready], side[:ready])
            middle, side = middle[ready:], side[ready:]
    side *= np.linspace(1.0, 0.0, len(side)) if len(side) else 1.0
    if len(middle):
        yield wide(middle, side)


def _even_blocks(blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    """Yield blocks of `_WIDE_BLOCK` samples, the last one shorter: the result does not depend on how a sound comes."""
    waiting: list[FloatArray] = []
    waiting_samples = 0
    for block in blocks:
        waiting.append(block)
        waiting_samples += len(block)
        if waiting_samples >= _WIDE_BLOCK:
            whole = np.concatenate(waiting)
            end = waiting_samples // _WIDE_BLOCK * _WIDE_BLOCK
            for start in range(0, end, _WIDE_BLOCK):
                yield whole[start : start + _WIDE_BLOCK]
            waiting, waiting_samples = [whole[end:]], waiting_samples - end
    if waiting_samples:
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
        self._size = 1 << (_WIDE_BLOCK + self._length).bit_length()
        self._spectrum = np.fft.rfft((1 - pole) * pole ** np.arange(self._length), self._size)
        self._carried = np.zeros(self._length)

    def filter(self, signal: Float64Array) -> Float64Array:
        """Return the next samples, at most `_WIDE_BLOCK` of them."""
        count = len(signal)
        convolved = np.fft.irfft(np.fft.rfft(signal, self._size) * self._spectrum, self._size)[: count + self._length]
        convolved[: self._length] += self._carried
        self._carried = convolved[count:]
        return convolved[:count]
