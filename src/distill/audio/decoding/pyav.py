"""Codings that libsndfile does not read, by way of PyAV where it is installed (``pip install distill[av]``).

PyAV brings the decoders of FFmpeg: AAC, ALAC, WMA, AC-3, and the sound of video files.  It is optional because it adds
35 MB to an installation.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from distill.audio.decoding.libsndfile import ENDLESS
from distill.errors import SoundError

FloatArray = npt.NDArray[np.float32]


def av_is_available() -> bool:
    """Whether PyAV can be imported."""
    return find_spec("av") is not None


class AvSource:
    """The first sound track of a file, decoded by PyAV; read like a `soundfile.SoundFile`.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    SoundError
        The file has no sound track that can be decoded.
    """

    def __init__(self, path: Path) -> None:
        av: Any = import_module("av")
        self._errors: tuple[type[Exception], ...] = (av.FFmpegError, ValueError)
        try:
            self._container: Any = av.open(str(path))
        except self._errors as exc:
            raise SoundError(f"not a sound file that can be read ({exc})") from exc
        tracks = self._container.streams.audio
        if not tracks or not tracks[0].codec_context.sample_rate:
            self._container.close()
            raise SoundError("holds no sound track that can be read")
        track = tracks[0]
        self.samplerate, self.channels = int(track.codec_context.sample_rate), int(track.codec_context.channels)
        self.frames = ENDLESS  # containers state lengths that differ from what is decoded
        self.format = str(self._container.format.name).split(",")[0].upper()
        self.subtype = str(track.codec_context.name).upper()
        layout = track.codec_context.layout.name
        self._resampler: Any = av.AudioResampler(format="flt", layout=layout, rate=self.samplerate)
        self._decoded = self._container.decode(track)
        self._rest: FloatArray = np.empty((0, self.channels), np.float32)
        self._is_done = False

    def read(self, *, out: FloatArray, always_2d: bool) -> FloatArray:
        """Fill ``out`` ``[frames, channels]`` and return the part that was filled.

        Raises
        ------
        SoundError
            The file breaks off.
        """
        filled = 0
        while filled < len(out):
            if not len(self._rest) and not self._fetch():
                break
            count = min(len(self._rest), len(out) - filled)
            out[filled : filled + count] = self._rest[:count]
            self._rest = self._rest[count:]
            filled += count
        return out[:filled]

    def _fetch(self) -> bool:
        """Decode the next frame; False at the end."""
        while not self._is_done:
            try:
                frame = next(self._decoded, None)
                frames = self._resampler.resample(frame)
            except self._errors as exc:
                raise SoundError(f"the file is cut off or damaged ({exc})") from exc
            self._is_done = frame is None
            parts = [np.asarray(f.to_ndarray(), np.float32).reshape(-1, self.channels) for f in frames]
            if parts and sum(map(len, parts)):
                self._rest = np.concatenate(parts)
                return True
        return False

    def close(self) -> None:
        """Release the file."""
        self._container.close()


def open_with_av(path: Path) -> AvSource | None:
    """Return a file opened by PyAV; None where PyAV is not installed or does not read the file."""
    if not av_is_available():
        return None
    try:
        return AvSource(path)
    except SoundError:
        return None
