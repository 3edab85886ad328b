"""Sounds ready for the device: decoded, resampled, and as tracks; compared sounds equally loud and equally long."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from distill.audio.decoding.level_checks import without_absurd
from distill.audio.decoding.libsndfile import ENDLESS, sndfile_name
from distill.audio.decoding.open_sound import open_sound
from distill.audio.waveform_peaks import waveform_peaks
from distill.errors import PlaybackError, SoundError
from distill.playback.loudness import loudness, matching_gains
from distill.playback.output_device import OutputFormat

#: Longest part of a file that is played.  It is kept in memory as float32, and an hour of it would not fit everywhere.
LONGEST_SECONDS = 600

#: Silence after a sound, beyond the latency of the device: some drivers drop their queue when a stream ends.
TAIL_SECONDS = 0.08

#: Number of peak pairs for drawing a sound: the pixels of a wide window at 200 %.
PEAKS = 2048

Block = NDArray[np.float32]


@dataclass(frozen=True)
class PlayRequest:
    """A request to play one sound, or several that are compared.

    Attributes
    ----------
    paths
        The files.
    heard
        Index of the one to play first.
    start_seconds
        Start position.
    goes_on
        Whether to keep the current position if one of them is playing now.
    is_group
        Whether they are compared by number; otherwise two of them are an original and its copy.
    """

    paths: tuple[Path, ...]
    heard: int = 0
    start_seconds: float = 0.0
    goes_on: bool = False
    is_group: bool = False

    @property
    def pair(self) -> tuple[Path, Path] | None:
        """An original's copy and the original, if these are compared."""
        return (self.paths[0], self.paths[1]) if len(self.paths) == 2 and not self.is_group else None

    @property
    def group(self) -> tuple[Path, ...]:
        """The files that are compared by number."""
        return self.paths if self.is_group else ()


@dataclass(frozen=True)
class Sound:
    """Decoded sound.

    Attributes
    ----------
    path
        The sound's file.
    frames
        Float32, ``[N, channels]`` with one or two channels, C-contiguous.
    sample_rate
        In Hz.
    """

    path: Path
    frames: NDArray[np.float32]
    sample_rate: float

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.frames) / self.sample_rate


@dataclass(frozen=True, eq=False)
class Track:
    """A sound in the device's format, followed by silence.

    Attributes
    ----------
    path
        The sound's file.
    frames
        ``[N + tail, channels]``.
    end
        Number of frames of the sound: N.
    peaks
        ``[n, 2]`` lowest and highest sample, for drawing.
    """

    path: Path
    frames: Block
    end: int
    peaks: NDArray[np.float32] = field(repr=False)

    @classmethod
    def from_sound(cls, sound: Sound, tail_seconds: float, peaks: NDArray[np.float32]) -> "Track":
        """Return the track of a sound, with ``tail_seconds`` of silence appended."""
        frames = np.pad(sound.frames, ((0, round(tail_seconds * sound.sample_rate)), (0, 0)))
        return cls(sound.path, frames, len(sound.frames), peaks)

    def read(self, start: int, block: Block, is_looping: bool) -> int:
        """Fill ``block`` from position ``start`` on, and return the next position.

        In a loop the last frame of the sound is followed by its first one, without silence between them.
        """
        if is_looping and start + len(block) > self.end:
            return self._read_around(start, block)
        count = max(0, min(len(block), len(self.frames) - start))
        block[:count] = self.frames[start : start + count]
        block[count:] = 0.0
        return start + count

    def _read_around(self, start: int, block: Block) -> int:
        if start > self.end:  # the loop was switched on after the end
            start = 0
        after = start + len(block)
        np.take(self.frames[: self.end], np.arange(start, after), axis=0, out=block, mode="wrap")
        return after % self.end


def load_sound(path: Path) -> Sound:
    """Decode the first `LONGEST_SECONDS` of a file; of more than two channels the first two are kept.

    Raises
    ------
    PlaybackError
        The file cannot be read, or there is nothing in it.
    """
    try:
        try:
            frames, sample_rate = _decoded(path)
        except SoundError as exc:  # what a model is not trained on, as a file that is cut off, can still be heard
            if not path.is_file():  # opening a pipe would wait for ever
                raise OSError(str(exc)) from exc
            with soundfile.SoundFile(sndfile_name(path)) as file:
                frames = file.read(LONGEST_SECONDS * file.samplerate, dtype="float32", always_2d=True)
                sample_rate = file.samplerate
    except (OSError, RuntimeError) as exc:  # soundfile's own error is a RuntimeError
        reason = "it is not there any more" if not path.exists() else "it cannot be decoded"
        raise PlaybackError(f"{path.name} cannot be played: {reason}.") from exc
    if not len(frames):
        raise PlaybackError(f"{path.name} cannot be played: there is no sound in it.")
    return Sound(path, np.ascontiguousarray(without_absurd(frames[:, :2])), sample_rate)


def _decoded(path: Path) -> tuple[Block, int]:
    """Return the samples of a file as training reads them, of its first two channels, and their rate."""
    with open_sound(path) as sound:
        most = LONGEST_SECONDS * sound.samplerate
        stated = sound.frames if sound.frames < ENDLESS else sound.samplerate
        frames: Block = np.empty((min(most, stated), min(2, sound.channels)), np.float32)
        done = 0
        for block in sound.blocks():
            part = block[: most - done, :2]
            if done + len(part) > len(frames):  # the stated length is too small
                grown = np.empty((min(most, max(2 * len(frames), done + len(part))), frames.shape[1]), np.float32)
                grown[:done] = frames[:done]
                frames = grown
            frames[done : done + len(part)] = part
            done += len(part)
            if done == most:
                break
        return frames[:done], sound.samplerate


def fitted(sound: Sound, sample_rate: int, channels: int) -> Sound:
    """Return ``sound`` at the rate and channel count of a device: resampled, doubled, or mixed down."""
    frames = sound.frames
    if sound.sample_rate != sample_rate:
        frames = soxr.resample(frames, sound.sample_rate, sample_rate)
        if not len(frames):  # of a few samples at a high rate
            frames = sound.frames[:1]
    if frames.shape[1] > channels:
        frames = frames.mean(axis=1, keepdims=True)
    elif frames.shape[1] < channels:
        frames = np.repeat(frames, channels, axis=1)
    return Sound(sound.path, np.ascontiguousarray(frames, dtype=np.float32), sample_rate)


def make_tracks(sounds: list[Sound], output_format: OutputFormat, latency_seconds: float) -> tuple[Track, ...]:
    """Return the tracks of sounds for a device."""
    rate, channels = output_format.sample_rate, output_format.channels
    ready = [fitted(sound, rate, channels) for sound in sounds]
    if len(ready) > 1:
        ready = _matched(ready)
    tail = latency_seconds + TAIL_SECONDS
    return tuple(Track.from_sound(sound, tail, sound_peaks(sound)) for sound in ready)


def _matched(sounds: list[Sound]) -> list[Sound]:
    """Return all as loud as the quietest one and as long as the longest one, so that every position exists in each."""
    rate = round(sounds[0].sample_rate)
    gains = matching_gains(*(loudness(sound.frames, rate) for sound in sounds))
    longest = max(len(sound.frames) for sound in sounds)
    return [
        Sound(s.path, np.pad(s.frames * np.float32(gain), ((0, longest - len(s.frames)), (0, 0))), rate)
        for s, gain in zip(sounds, gains, strict=True)
    ]


def sound_peaks(sound: Sound) -> NDArray[np.float32]:
    """Return the lowest and highest sample of each stretch, over all channels."""
    sides = [waveform_peaks(np.ascontiguousarray(channel), PEAKS) for channel in sound.frames.T]
    low, high = np.min([s[:, 0] for s in sides], axis=0), np.max([s[:, 1] for s in sides], axis=0)
    return np.stack([low, high], axis=1).astype(np.float32, copy=False)
