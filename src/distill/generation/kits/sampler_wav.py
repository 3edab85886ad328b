"""Writes WAV files that samplers understand: with the root note and the loop in a ``smpl`` chunk."""

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from distill.audio.export import MOST_TEXT
from distill.audio.pitch import Pitch
from distill.generation.kits.sample_loop import SampleLoop


def sampler_wav(
    audio: npt.NDArray[np.floating[Any]],
    pitch: Pitch | None,
    loop: SampleLoop | None,
    comment: str = "",
    sample_rate: int = 48_000,
) -> bytes:
    """Return a WAV file, PCM of 24 bits.

    Without a pitch and without a loop the file has no ``smpl`` chunk, so that no sampler takes a default for a root
    note.  The chunk's layout is that of "Multimedia Programming Interface and Data Specifications 1.0, New Multimedia
    Data Types" (1994): the root note, and the fraction of a semitone above it in units of 2**-32.

    Parameters
    ----------
    audio
        ``[samples]``, mono, within -1 and 1.
    pitch
        Of the sound, or None.
    loop
        Of the sound, or None.
    comment
        For the file's metadata.
    sample_rate
        Hz.
    """
    whole = io.BytesIO()
    with soundfile.SoundFile(whole, "w", sample_rate, 1, "PCM_24", format="WAV") as file:
        if comment and len(comment) <= MOST_TEXT:
            file.comment = comment
        file.write(audio)
    if pitch is None and loop is None:
        return whole.getvalue()
    note, fraction = 60, 0
    if pitch is not None:
        note = int(np.floor(pitch.midi))
        fraction = min(int((pitch.midi - note) * 2**32), 2**32 - 1)
    loops = b"" if loop is None else struct.pack("<6I", 0, 0, loop.start, loop.end - 1, 0, 0)
    count = int(loop is not None)
    body = struct.pack("<9I", 0, 0, round(1e9 / sample_rate), note, fraction, 0, 0, count, 0) + loops
    data = whole.getvalue()
    data += b"\0" * (len(data) % 2) + b"smpl" + struct.pack("<I", len(body)) + body
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
