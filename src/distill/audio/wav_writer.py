"""Writes WAV files."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.files import write_whole


def write_wav(path: Path, audio: npt.NDArray[Any], sample_rate: int = SAMPLE_RATE) -> None:
    """Write a WAV file (PCM, 16 bits), whole or not at all.

    Parameters
    ----------
    path
        The file; missing folders are made.
    audio
        ``[samples]``, or ``[samples, channels]``; what is over 1.0 is clipped.
    sample_rate
        Hz.

    Raises
    ------
    ValueError
        The audio has another shape, no samples, or samples that are not numbers.
    OSError
        The file cannot be written, or the disk is full.
    """
    samples = np.asarray(audio, np.float32)
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise ValueError(f"Audio to be written must be [samples] or [samples, channels], not {list(samples.shape)}.")
    if not np.isfinite(samples).all():
        raise ValueError("Audio to be written contains samples that are not numbers.")
    # By way of memory: in a callback from libsndfile a full disk would be lost.
    whole = io.BytesIO()
    soundfile.write(whole, np.clip(samples, -1.0, 1.0), sample_rate, format="WAV", subtype="PCM_16")
    with write_whole(path) as file:
        file.write(whole.getbuffer())
