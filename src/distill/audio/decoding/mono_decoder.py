"""Decodes sounds to what Distill works on: mono, 48 kHz, float32.

Everything is decoded in blocks and forwards only, so that a file of two hours takes no more memory than one of two
seconds.  A file that cannot be used raises a `SoundError` whose message is the reason in plain words, without the name
of the file: the caller shows the name beside it.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import soxr

from distill.audio.decoding.infrasound import InfrasoundFilter
from distill.audio.decoding.level_checks import SILENCE_PEAK, LevelMeter, MixLostError, refuse_absurd
from distill.audio.decoding.open_sound import open_sound, read_blocks, read_header
from distill.errors import SoundError

FloatArray = npt.NDArray[np.float32]

#: Samples per second of everything inside Distill.
SAMPLE_RATE = 48_000
#: How sounds are prepared for training: raised when the same file gives other samples, chunks or another split.
#: 1: mean of the channels, chunks of all of it, split by number of files.  2: without offset and infrasound, without
#: silence, split by seconds.  A run goes on with the one that it was begun with.
PREPARATION = 2

T = TypeVar("T")
#: Is told what was lost of a damaged file, as a phrase.
OnDamage = Callable[[str], None]


def stream_sound(
    path: Path,
    cancel_event: threading.Event | None = None,
    *,
    channel: int | None = None,
    only_silence: bool = False,
    on_damage: OnDamage | None = None,
) -> Iterator[FloatArray]:
    """Decode a sound block by block to mono at 48 kHz, at the level that it has in the file.

    Channels are averaged, unless one is chosen.  A fault that shows only at a file's end (silence, a cut) is raised
    there: a caller that keeps the blocks must discard them then.

    Parameters
    ----------
    path
        The file.
    cancel_event
        Stops the decoding.
    channel
        Number of the one channel to use, from 0.
    only_silence
        Whether only silent files are refused, as by older versions, and not those that hold nothing but quiet noise.
    on_damage
        Called at the end with what was lost, where the file is damaged; see `SoundReader.damage_text`.

    Yields
    ------
    numpy.ndarray
        float32 ``[n]``, ``n`` varying.

    Raises
    ------
    MixLostError
        The mean of the channels has lost the sound; one of the channels still has it.
    SoundError
        The file cannot be used; the message is the reason alone.
    Cancelled
        ``cancel_event`` was set.
    """
    with open_sound(path) as sound:
        rate, done, level = sound.samplerate, 0, LevelMeter(sound.channels if channel is None else 1)
        if channel is not None and channel >= sound.channels:
            raise SoundError(f"has no channel {channel + 1}")
        resampler = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
        for block in read_blocks(sound, cancel_event):
            if not len(block):
                continue
            used = block if channel is None else block[:, channel : channel + 1]
            refuse_absurd(used, done, rate, sound.subtype)
            mono = _mono(used)
            done += len(mono)
            level.add(used, mono)
            yield mono if resampler is None else resampler.resample_chunk(mono)
        sound.check_read(done)
        level.check(is_mix=channel is None, only_silence=only_silence)
        if on_damage is not None and (damage := sound.damage_text(done)):
            on_damage(damage)
        if resampler is not None:
            yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def _mono(block: FloatArray) -> FloatArray:
    if block.shape[1] == 1:
        return block[:, 0].copy()  # the block is read into again
    mix: FloatArray = np.einsum("nc->n", block) / np.float32(block.shape[1])
    return mix


def stream_prepared(
    path: Path,
    cancel_event: threading.Event | None = None,
    channel: int | None = None,
    preparation: int = PREPARATION,
    on_damage: OnDamage | None = None,
) -> Iterator[FloatArray]:
    """Decode a sound as `stream_sound` does, for training: offset and infrasound are removed.

    Parameters
    ----------
    path, cancel_event, channel, on_damage
        As in `stream_sound`.
    preparation
        1 for runs that were begun before offsets were removed, else `PREPARATION`.

    Yields
    ------
    numpy.ndarray
        float32 ``[n]``, ``n`` varying.

    Raises
    ------
    MixLostError
        The mean of the channels has lost the sound; one of the channels still has it.
    SoundError
        The file cannot be used; the message is the reason alone.
    Cancelled
        ``cancel_event`` was set.
    """
    is_old = preparation == 1
    blocks = stream_sound(path, cancel_event, channel=channel, only_silence=is_old, on_damage=on_damage)
    if is_old:
        yield from blocks
        return
    peak = np.float32(0)
    for block in InfrasoundFilter(SAMPLE_RATE).filter(blocks):
        peak = max(peak, peak_of(block))
        yield block
    if peak < SILENCE_PEAK:
        raise SoundError("holds nothing that can be heard: only an offset or sound under 20 Hz")


def with_mono(path: Path, use: Callable[[int | None], T]) -> tuple[T, str]:
    """Call ``use`` with None for the mix of all channels, and again with one channel where the mix lost the sound.

    Returns
    -------
    tuple
        What ``use`` returned, and a note for the user: which channel was used; empty for the mix.

    Raises
    ------
    SoundError
        As raised by ``use``.
    """
    try:
        return use(None), ""
    except MixLostError as lost:
        with open_sound(path) as sound:
            names = ("left", "right") if sound.channels == 2 else [f"{n + 1}." for n in range(sound.channels)]
        note = f"its channels cancel each other out in mono: only the {names[lost.channel]} channel is used"
        return use(lost.channel), note


def decode_sound(path: Path, cancel_event: threading.Event | None = None, *, normalize: bool = True) -> FloatArray:
    """Decode a whole sound to mono at 48 kHz.

    Parameters
    ----------
    path
        The file.
    cancel_event
        Stops the decoding.
    normalize
        True for the sound as a model is trained on it: without offset and infrasound, peak 1.0.  False for the samples
        as they are in the file, which may be silent.

    Returns
    -------
    numpy.ndarray
        float32 ``[samples]``.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    Cancelled
        ``cancel_event`` was set.
    """

    def decode(channel: int | None) -> FloatArray:
        if normalize:
            return _collected(path, stream_prepared(path, cancel_event, channel))
        return _collected(path, stream_sound(path, cancel_event, channel=channel))

    audio, _ = with_mono(path, decode)
    if normalize:
        audio /= peak_of(audio)
    return audio


@dataclass(frozen=True)
class MeasuredSound:
    """A sound file that was decoded once to its end, and can be decoded again without a surprise.

    Attributes
    ----------
    path
        The file.
    channel
        The one channel that is used, or None for the mix of all.
    samples
        Its length at 48 kHz.
    peak
        Its highest level.
    """

    path: Path
    channel: int | None
    samples: int
    peak: float

    def blocks(self, cancel_event: threading.Event | None = None) -> Iterator[FloatArray]:
        """Decode the sound again, block by block, mono at 48 kHz and at its own level; errors are `stream_sound`'s."""
        return stream_sound(self.path, cancel_event, channel=self.channel)


def measure_mono(path: Path, cancel_event: threading.Event | None = None) -> MeasuredSound:
    """Decode a sound to its end, in little memory, and return what is known of it then.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    Cancelled
        ``cancel_event`` was set.
    """

    def measure(channel: int | None) -> MeasuredSound:
        samples, peak = 0, 0.0
        for block in stream_sound(path, cancel_event, channel=channel):
            samples, peak = samples + len(block), max(peak, float(peak_of(block)))
        return MeasuredSound(path, channel, samples, peak)

    return with_mono(path, measure)[0]


def _collected(path: Path, blocks: Iterator[FloatArray]) -> FloatArray:
    """Return blocks in one array, which grows where the stated length is too small."""
    header = read_header(path)
    audio: FloatArray = np.empty(int(header.duration_s * SAMPLE_RATE) + 4096, np.float32)
    filled = 0
    for block in blocks:
        if filled + len(block) > len(audio):
            audio = np.concatenate([audio, np.empty(max(len(audio) // 2, len(block)), np.float32)])
        audio[filled : filled + len(block)] = block
        filled += len(block)
    return audio[:filled]


def peak_of(audio: FloatArray) -> np.float32:
    """Return the largest magnitude without a copy of the audio; 0 for none."""
    return np.float32(max(float(audio.max()), -float(audio.min()))) if audio.size else np.float32(0)
