"""A sound in memory, ready for the loudspeakers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from distill.errors import PlaybackError

#: Longest part of a file that is played.  It is kept in memory as float32, and an hour of it would not fit everywhere.
LONGEST_SECONDS = 600


@dataclass(frozen=True)
class Sound:
    """Decoded sound.

    Attributes
    ----------
    path
        The file that it comes from.
    frames
        Float32, ``[N, channels]`` with one or two channels, C-contiguous.
    sample_rate
        Frames a second.
    """

    path: Path
    frames: NDArray[np.float32]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.frames) / self.sample_rate


def load_sound(path: Path) -> Sound:
    """Decode the first `LONGEST_SECONDS` of a file; of more than two channels the first two are kept.

    Raises
    ------
    PlaybackError
        The file cannot be read, or there is nothing in it.
    """
    try:
        with soundfile.SoundFile(path) as file:
            frames = file.read(LONGEST_SECONDS * file.samplerate, dtype="float32", always_2d=True)
            sample_rate = file.samplerate
    except (OSError, RuntimeError) as exc:  # soundfile's own error is a RuntimeError
        reason = "it is not there any more" if not path.exists() else "it cannot be decoded"
        raise PlaybackError(f"{path.name} cannot be played: {reason}.") from exc
    if not len(frames):
        raise PlaybackError(f"{path.name} cannot be played: there is no sound in it.")
    frames = np.nan_to_num(frames[:, :2], copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return Sound(path, np.ascontiguousarray(frames), sample_rate)


def fitted(sound: Sound, sample_rate: int, channels: int) -> Sound:
    """Return ``sound`` at the rate and channel count of a device: resampled, doubled, or mixed down."""
    frames = sound.frames
    if sound.sample_rate != sample_rate:
        frames = soxr.resample(frames, sound.sample_rate, sample_rate)
    if frames.shape[1] > channels:
        frames = frames.mean(axis=1, keepdims=True)
    elif frames.shape[1] < channels:
        frames = np.repeat(frames, channels, axis=1)
    return Sound(sound.path, np.ascontiguousarray(frames, dtype=np.float32), sample_rate)
