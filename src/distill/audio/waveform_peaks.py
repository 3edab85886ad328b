"""The lowest and highest samples of stretches of a sound, and a picture of them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from distill.audio.decoding.mono_decoder import FloatArray


def waveform_peaks(audio: FloatArray, bins: int) -> npt.NDArray[np.float32]:
    """Return the lowest and highest sample of each of ``bins`` equal stretches of a sound, for drawing it.

    Parameters
    ----------
    audio
        ``[samples]``.
    bins
        Number of stretches; where it exceeds the samples, neighbours share one.

    Returns
    -------
    numpy.ndarray
        float32 ``[bins, 2]``; zeros for no audio.

    Raises
    ------
    ValueError
        ``bins`` is not positive, or the audio has more than one dimension.
    """
    if bins < 1 or audio.ndim != 1:
        raise ValueError(f"waveform_peaks takes [samples] and at least 1 bin, not {list(audio.shape)} and {bins}.")
    if audio.size == 0:
        return np.zeros((bins, 2), np.float32)
    starts: npt.NDArray[Any] = np.arange(bins) * audio.size // bins
    lowest, highest = np.minimum.reduceat(audio, starts), np.maximum.reduceat(audio, starts)
    return np.stack([lowest, highest], axis=1).astype(np.float32, copy=False)


def picture_of_peaks(
    peaks: npt.NDArray[np.float32], width: int, height: int, color: tuple[int, int, int], opacity: float, fills: bool
) -> npt.NDArray[np.uint32]:
    """Draw peaks, one line for each column of pixels.

    Parameters
    ----------
    peaks
        ``[n, 2]``, as `waveform_peaks` returns them; ``n`` is at least 1.
    width, height
        Pixels.
    color, opacity
        Red, green and blue from 0 to 255, and how much they cover, from 0 to 1.
    fills
        Scale the loudest peak to the height.  Otherwise a sample of 1.0 reaches it.

    Returns
    -------
    numpy.ndarray
        uint32 ``[height, width]``, premultiplied ARGB.
    """
    covered = _coverage(_columns(peaks, width), height, fills)
    alpha = np.ascontiguousarray(np.round(covered * (255 * opacity)), np.uint8).astype(np.uint32)
    red, green, blue = (alpha * part // 255 for part in color)
    return np.asarray(alpha << 24 | red << 16 | green << 8 | blue, np.uint32)


def _columns(peaks: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float32]:
    """Return peaks for as many stretches as there are columns of pixels, ``[width, 2]``."""
    count = len(peaks)
    if width >= count:  # a column between two stretches is interpolated
        at = np.linspace(0, count - 1, width)
        return np.stack([np.interp(at, np.arange(count), peaks[:, side]) for side in (0, 1)], axis=1)
    starts = np.arange(width) * count // width
    low, high = np.minimum.reduceat(peaks[:, 0], starts), np.maximum.reduceat(peaks[:, 1], starts)
    return np.stack([low, high], axis=1)


def _coverage(columns: npt.NDArray[np.float32], height: int, fills: bool) -> npt.NDArray[np.float32]:
    """Return how much of each pixel a waveform covers, ``[height, width]`` from 0 to 1.  Silence is a thin line."""
    loudest = float(np.abs(columns).max())
    gain = 1.0 / loudest if fills and loudest > 0 else 1.0
    middle = height / 2
    upper = middle - np.clip(columns[:, 1] * gain, -1, 1) * middle
    lower = middle - np.clip(columns[:, 0] * gain, -1, 1) * middle
    missing = np.maximum(0, 1 - (lower - upper)) / 2
    upper, lower = upper - missing, lower + missing
    row = np.arange(height)[:, None]
    covered: npt.NDArray[np.float32] = np.minimum(lower, row + 1) - np.maximum(upper, row)
    return np.clip(covered, 0, 1)
