"""The lowest and highest samples of stretches of a sound, for drawing it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from distill.audio.decoding.mono_decoder import FloatArray


def waveform_peaks(audio: FloatArray, bins: int) -> npt.NDArray[np.float32]:
    """Return the lowest and highest sample of each of ``bins`` equal stretches of a sound.

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
