"""How loud a sound is to the ear, and how much quieter another must become to be as loud.

Of two sounds the louder one seems the better one, so a comparison is fair only at the same loudness.  It is measured
as in ITU-R BS.1770-4: frequencies weighted roughly as a head hears them, and stretches that are much quieter than
the rest left out, so that the silence after a one-shot does not count.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Length and distance of the stretches that are measured (BS.1770-4, annex 1).
BLOCK_SECONDS, HOP_SECONDS = 0.4, 0.1

#: Stretches below this are silence, in LKFS, and so are those that are this much below the mean of the others, in LU.
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0

#: Most that a sound is turned down.  One that is further off is next to silence, and would take the other with it.
MOST_ATTENUATION_DB = 30.0

#: Hops that are transformed at once: a few MB.
_BATCH = 64


def loudness(frames: NDArray[np.float32], sample_rate: int) -> float:
    """Return the integrated loudness of ``frames`` ``[N, channels]`` in LKFS; minus infinity for silence."""
    power = _block_power(frames, sample_rate)
    for gate in (_power(ABSOLUTE_GATE), None):
        limit = gate if gate is not None else float(power.mean()) * 10 ** (RELATIVE_GATE / 10)
        power = power[power > limit]
        if not len(power):
            return -np.inf
    return float(-0.691 + 10 * np.log10(power.mean()))


def matching_gains(*loudnesses: float) -> tuple[float, ...]:
    """Return linear gains that bring loudnesses (LKFS) together by turning all but the lowest down; silence stays."""
    lowest = min((value for value in loudnesses if np.isfinite(value)), default=0.0)
    return tuple(
        float(10 ** (-min(value - lowest, MOST_ATTENUATION_DB) / 20)) if np.isfinite(value) else 1.0
        for value in loudnesses
    )


def _power(lkfs: float) -> float:
    return float(10 ** ((lkfs + 0.691) / 10))


def _block_power(frames: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Return the weighted power of each block, summed over the channels; a shorter sound is one block, as it is.

    The weighting is applied to the spectrum of each hop instead of to the samples: by Parseval's theorem the power
    is the same, but for what a filter carries over from one hop to the next, and numpy does it without a loop over
    samples.  Blocks overlap by whole hops, so that a block's power is the mean of that of its hops.
    """
    size, hops = round(HOP_SECONDS * sample_rate), round(BLOCK_SECONDS / HOP_SECONDS)
    if len(frames) < size * hops:
        size, hops = len(frames), 1
    count = len(frames) // size
    pieces = np.ascontiguousarray(frames[: count * size].T).reshape(-1, count, size)  # [channels, hops, size]
    weight = _k_weighting(np.arange(size // 2 + 1) * (sample_rate / size), sample_rate) / size**2
    weight[1 : (size + 1) // 2] *= 2  # the negative frequencies, which rfft leaves out
    power = np.zeros(count)
    for start in range(0, count, _BATCH):
        spectrum = np.fft.rfft(pieces[:, start : start + _BATCH])
        power[start : start + _BATCH] = ((spectrum.real**2 + spectrum.imag**2) @ weight).sum(axis=0)
    result: NDArray[np.float64] = np.convolve(power, np.full(hops, 1 / hops), "valid")
    return result


def _k_weighting(hertz: NDArray[np.floating[Any]], sample_rate: int) -> NDArray[np.float64]:
    """Return the power response of the K weighting at these frequencies.

    BS.1770 tabulates its two filters for 48 kHz only.  These are the analogue ones behind the table (a shelf of 4 dB
    above 1.7 kHz for the head, a high-pass at 38 Hz), whose bilinear transform at 48 kHz is the table.
    """
    z = np.exp(-2j * np.pi * hertz / sample_rate)  # one sample of delay
    k, q, boost = np.tan(np.pi * 1681.9744509555319 / sample_rate), 0.7071752369554193, 10 ** (3.99984385397 / 20)
    middle = boost**0.4996667741545416
    shelf = _biquad(z, (boost + middle * k / q + k * k, 2 * (k * k - boost), boost - middle * k / q + k * k), k, q)
    k, q = np.tan(np.pi * 38.13547087613982 / sample_rate), 0.5003270373253953
    # The table's numerator is (1, -2, 1) as it stands, with the denominator's first coefficient divided out.
    high_pass = _biquad(z, (1.0, -2.0, 1.0), k, q) * (1 + k / q + k * k)
    weight: NDArray[np.float64] = np.abs(shelf * high_pass) ** 2
    return weight


def _biquad(
    z: NDArray[np.complex128], numerator: tuple[float, float, float], k: float, q: float
) -> NDArray[np.complex128]:
    b0, b1, b2 = numerator
    a0, a1, a2 = 1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k
    result: NDArray[np.complex128] = (b0 + b1 * z + b2 * z * z) / (a0 + a1 * z + a2 * z * z)
    return result
