"""From files to tracks: decoded, at the device's rate, and of two sounds both equally loud and equally long."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.audio.corpus import waveform_peaks
from distill.playback.loudness import loudness, matching_gains
from distill.playback.output import OutputFormat
from distill.playback.sound import Sound, fitted
from distill.playback.voice import Track

#: Silence after a sound, beyond what waits in the device: some drivers throw away what waits when a stream ends.
TAIL_SECONDS = 0.08

#: Stretches that a sound is divided into for drawing it: as many as a wide window has pixels, at 200 %.
PEAKS = 2048


@dataclass(frozen=True)
class PlayRequest:
    """What is to be heard: one sound, or two of which one is heard first.

    Attributes
    ----------
    paths
        One or two files.
    heard
        Which of them.
    start_seconds
        Where in it.
    goes_on
        Whether to go on where the player is, if it is playing one of them now.
    """

    paths: tuple[Path, ...]
    heard: int = 0
    start_seconds: float = 0.0
    goes_on: bool = False

    @property
    def pair(self) -> tuple[Path, Path] | None:
        """The two that are compared."""
        return (self.paths[0], self.paths[1]) if len(self.paths) == 2 else None


def make_tracks(sounds: list[Sound], output_format: OutputFormat, latency_seconds: float) -> tuple[Track, ...]:
    """Return the tracks of one or two sounds for a device."""
    rate, channels = output_format.sample_rate, output_format.channels
    ready = [fitted(sound, rate, channels) for sound in sounds]
    if len(ready) == 2:
        ready = _matched(ready)
    tail = latency_seconds + TAIL_SECONDS
    return tuple(Track.from_sound(sound, tail, _peaks(sound)) for sound in ready)


def _matched(sounds: list[Sound]) -> list[Sound]:
    """Return both as loud as the quieter one, and as long as the longer one, so that each place is in both."""
    rate = sounds[0].sample_rate
    gains = matching_gains(*(loudness(sound.frames, rate) for sound in sounds))
    longest = max(len(sound.frames) for sound in sounds)
    return [
        Sound(s.path, np.pad(s.frames * np.float32(gain), ((0, longest - len(s.frames)), (0, 0))), rate)
        for s, gain in zip(sounds, gains, strict=True)
    ]


def _peaks(sound: Sound) -> NDArray[np.float32]:
    """Return the lowest and highest sample of each stretch, of all channels together."""
    sides = [waveform_peaks(np.ascontiguousarray(channel), PEAKS) for channel in sound.frames.T]
    low, high = np.min([s[:, 0] for s in sides], axis=0), np.max([s[:, 1] for s in sides], axis=0)
    return np.stack([low, high], axis=1).astype(np.float32, copy=False)
