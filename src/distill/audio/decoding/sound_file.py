"""Sounds in and out: decoding to what Distill works on (mono, 48 kHz, float32, peak 1.0), and writing WAV files.

Everything is decoded in blocks and forwards only, so that a file of two hours takes no more memory than one of two
seconds.  Every way in which a file can be bad ends in a `SoundError` whose message is the reason, in words for a
musician, without the file's name: whoever shows it knows the name.
"""

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from distill.audio.decoding.decoder import (
    ENDLESS,
    ForwardSoundFile,
    UnreachableSoundError,
    cut_off,
    is_short,
    open_sound,
    os_reason,
)
from distill.audio.decoding.formats import SOUND_SUFFIXES
from distill.audio.decoding.truncation import mp3_states_length
from distill.errors import SoundError
from distill.files import write_whole

__all__ = [
    "SAMPLE_RATE", "SOUND_SUFFIXES", "DecodingCancelled", "SoundHeader", "UnreachableSoundError",
    "decode_sound", "os_reason", "read_header", "stream_sound", "write_wav",
]  # fmt: skip

FloatArray = npt.NDArray[np.float32]

#: Samples per second of everything inside Distill.
SAMPLE_RATE = 48_000
#: Level under which a file is silent: -80 dBFS, a few steps of 16 bits.
SILENCE_PEAK = 1e-4

_BLOCK_SAMPLES = 1 << 17  # of all channels together: half a megabyte


class DecodingCancelled(Exception):  # noqa: N818 - not an error: somebody asked for it
    """The work was given up because its ``cancel_event`` was set."""


@dataclass(frozen=True)
class SoundHeader:
    """What a sound file says about itself.

    Attributes
    ----------
    duration_s
        Seconds.  An estimate for MP3 files that state no length.
    sample_rate, channels, frames
        As in the file; ``frames`` are samples of one channel.
    format
        Name of the format and its coding, for instance ``"WAV PCM_24"``.
    """

    duration_s: float
    sample_rate: int
    channels: int
    frames: int
    format: str


def read_header(path: Path) -> SoundHeader:
    """Read what a sound file says about itself, without decoding it.

    The one exception is a stream that states no length: it is decoded to count its frames.

    Raises
    ------
    SoundError
        The file cannot be used, as far as can be told without decoding.  The message is the reason alone.
    """
    with open_sound(path) as sound:
        frames = sound.frames
        if frames >= ENDLESS:
            frames = sum(len(block) for block in read_blocks(sound))
        if frames == 0:
            raise SoundError("is empty (it holds no samples)")
        rate = sound.samplerate
        return SoundHeader(frames / rate, rate, sound.channels, frames, f"{sound.format} {sound.subtype}")


def read_blocks(sound: ForwardSoundFile) -> Iterator[FloatArray]:
    """Yield blocks ``[frames, channels]`` until the end.  A file that breaks off is an error."""
    length = max(256, _BLOCK_SAMPLES // sound.channels)
    buffer: FloatArray = np.empty((length, sound.channels), np.float32)
    done = 0
    while True:
        try:
            block = sound.read(out=buffer, always_2d=True)
        except soundfile.LibsndfileError as exc:
            where = f"{max(done, sound.tell()) / sound.samplerate:.1f} s"
            if sound.frames < ENDLESS:
                where += f" of {sound.frames / sound.samplerate:.1f} s"
            raise SoundError(f"the file is cut off or damaged: about {where} could be read") from exc
        if len(block) == 0:
            return
        done += len(block)
        yield block


class _Level:
    """Whether there is anything to hear, in the file and in its mono mix."""

    def __init__(self) -> None:
        self._mono: list[float] = [0.0, 0.0]
        self._file = 0.0
        self._seen = False

    def add(self, block: FloatArray, mono: FloatArray) -> None:
        low, high = float(mono.min()), float(mono.max())
        if self._seen:
            low, high = min(low, self._mono[0]), max(high, self._mono[1])
        self._seen, self._mono = True, [low, high]
        if block.shape[1] > 1:
            self._file = max(self._file, float(block.max()), -float(block.min()))

    def check(self) -> None:
        # The distance between the extremes, not the peak: a constant is as silent as zero.
        if self._mono[1] - self._mono[0] >= 2 * SILENCE_PEAK:
            return
        if self._file >= 10 * SILENCE_PEAK and self._file > 10 * max(map(abs, self._mono)):
            raise SoundError("is silent in mono: its channels cancel each other out")
        raise SoundError("is silent")


def stream_sound(path: Path, cancel_event: threading.Event | None = None) -> Iterator[FloatArray]:
    """Decode a sound block by block to mono at 48 kHz, at the level that it has in the file.

    Channels are averaged.  What is wrong with a file's end (silent, cut off) is known only at the end: whoever keeps
    the blocks must throw them away when the iteration raises.

    Yields
    ------
    numpy.ndarray
        float32 ``[n]``, ``n`` varying.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    DecodingCancelled
        ``cancel_event`` was set.
    """
    with open_sound(path) as sound:
        rate, done, level = sound.samplerate, 0, _Level()
        resampler = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
        for block in read_blocks(sound):
            if cancel_event is not None and cancel_event.is_set():
                raise DecodingCancelled
            mono = _mono(block)
            finite = np.isfinite(mono)
            if not finite.all():
                at = (done + int(finite.argmin())) / rate
                raise SoundError(f"contains samples that are not numbers (NaN or infinite), the first at {at:.3f} s")
            done += len(mono)
            level.add(block, mono)
            yield mono if resampler is None else resampler.resample_chunk(mono)
        _check_read(path, sound, done)
        level.check()
        if resampler is not None:
            yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def _mono(block: FloatArray) -> FloatArray:
    if block.shape[1] == 1:
        return block[:, 0].copy()  # the block is read into again
    with np.errstate(over="ignore", invalid="ignore"):  # what that gives is refused by the caller
        mix: FloatArray = np.einsum("nc->n", block) / np.float32(block.shape[1])
    return mix


def _check_read(path: Path, sound: ForwardSoundFile, done: int) -> None:
    """Refuse a file from which fewer frames came than it states, where the statement is one to rely on."""
    if done == 0:
        raise SoundError("is empty (it holds no samples)")
    claimed = sound.frames
    if claimed >= ENDLESS or sound.format == "OGG":
        return
    if sound.format == "MP3" and not mp3_states_length(path):
        return
    if is_short(claimed - done, claimed, sound.samplerate):
        raise SoundError(cut_off(done, claimed, sound.samplerate))


def decode_sound(path: Path, cancel_event: threading.Event | None = None) -> FloatArray:
    """Decode a sound to mono at 48 kHz, peak-normalised to 1.0.

    Returns
    -------
    numpy.ndarray
        float32 ``[samples]``.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    DecodingCancelled
        ``cancel_event`` was set.
    """
    header = read_header(path)
    audio: FloatArray = np.empty(int(header.duration_s * SAMPLE_RATE) + 4096, np.float32)
    filled = 0
    for block in stream_sound(path, cancel_event):
        if filled + len(block) > len(audio):  # the stated length was a guess
            audio = np.concatenate([audio, np.empty(max(len(audio) // 2, len(block)), np.float32)])
        audio[filled : filled + len(block)] = block
        filled += len(block)
    audio = audio[:filled]
    audio /= peak_of(audio)
    return audio


def peak_of(audio: FloatArray) -> np.float32:
    """Return the largest magnitude without a copy of the audio; 0 for none."""
    return np.float32(max(float(audio.max()), -float(audio.min()))) if audio.size else np.float32(0)


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
