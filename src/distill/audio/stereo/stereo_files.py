"""The two channels of sound files, and how stereo they are."""

import logging
import os
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import soxr

from distill.audio.cache.sound_cache import CachedSound, read_derived
from distill.audio.decoding.level_checks import refuse_absurd, without_absurd
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.audio.decoding.open_sound import open_sound, read_blocks
from distill.audio.stereo.stereo_image import (
    BANDS,
    MIX,
    FloatArray,
    ImageMeter,
    StereoImage,
    channel_difference,
    columns_of,
)
from distill.errors import Cancelled, SoundError

log = logging.getLogger(__name__)

#: Energy of the difference of the channels, relative to that of the mix, from which a sound is stereo: -30 dB.
_DIFFERENT = 1e-3
#: Share of a corpus that is stereo from which its model has an image.
LEAST_SHARE = 0.1
#: Raised when what is kept in the cache would be measured differently.
_VERSION = 1
#: Seconds of a decoded sound that are read at once.
_READ_S = 20


def stream_channels(path: Path, cancel_event: threading.Event | None = None) -> Generator[FloatArray, None, None]:
    """Decode a file of two channels block by block at 48 kHz, ``[n, 2]``, at the level that it has.

    Raises
    ------
    SoundError
        The file cannot be used, or has another number of channels; the message is the reason alone.
    Cancelled
        ``cancel_event`` was set.
    """
    with open_sound(path) as sound:
        if sound.channels != 2:
            raise SoundError("does not have two channels")
        rate = sound.samplerate
        resampler = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 2, dtype="float32")
        done = 0
        for block in read_blocks(sound, cancel_event):
            refuse_absurd(block, done, rate, sound.subtype)
            done += len(block)
            if len(block):
                yield block.copy() if resampler is None else resampler.resample_chunk(block)
        if resampler is not None:
            yield resampler.resample_chunk(np.empty((0, 2), np.float32), last=True)


def decode_channels(path: Path, cancel_event: threading.Event | None = None) -> FloatArray:
    """Return both channels of a file ``[2, N]`` at 48 kHz; errors are those of `stream_channels`."""
    channels: FloatArray = np.concatenate(list(stream_channels(path, cancel_event))).T
    return np.ascontiguousarray(channels)


def is_stereo_file(path: Path, cancel_event: threading.Event | None = None) -> bool:
    """Whether a file has two channels that differ from each other; those of more channels count as mono.

    Raises
    ------
    SoundError
        The file cannot be used; the message is the reason alone.
    Cancelled
        ``cancel_event`` was set.
    """
    return difference_of(path, cancel_event) > _DIFFERENT


def difference_of(path: Path, cancel_event: threading.Event | None = None) -> float:
    """Return the `channel_difference` of a file; 0 for another number of channels than two."""
    with open_sound(path) as sound:
        if sound.channels != 2:
            return 0.0
        return channel_difference(map(without_absurd, read_blocks(sound, cancel_event)))


def is_stereo(sound: CachedSound, cancel_event: threading.Event | None = None) -> bool:
    """Whether the file of a decoded sound is stereo; it is measured once and kept in the cache.  Errors as above."""
    if not has_two_channels(sound.source):
        return False

    def measure() -> FloatArray:
        return np.array([difference_of(sound.source, cancel_event)], np.float32)

    return float(read_derived(_whole(sound).derived(f"difference {_VERSION}", measure), 0, 1)[0]) > _DIFFERENT


def is_stereo_sound(sound: CachedSound, cancel_event: threading.Event | None = None) -> bool:
    """Return what `is_stereo` does; a sound that cannot be read any more counts as mono."""
    try:
        return is_stereo(sound, cancel_event)
    except SoundError as exc:
        log.info("%s counts as mono: %s", sound.source, exc)
        return False


def count_stereo(sounds: Sequence[CachedSound], cancel_event: threading.Event | None = None) -> int:
    """Return how many sounds are stereo, several of which are measured at once.

    Raises
    ------
    Cancelled
        ``cancel_event`` was set.
    DistillError
        The disk is full, or the cache cannot be written to.
    """
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), "distill-stereo") as pool:
        return sum(pool.map(lambda sound: is_stereo_sound(sound, cancel_event), sounds))


def stereo_text(stereo: int, total: int) -> str:
    """Return one line on how many sounds are stereo, and what becomes of them; empty where none is."""
    if not stereo:
        return ""
    said = f"{stereo} of {total} sounds {'is' if stereo == 1 else 'are'} stereo"
    return f"{said}." if stereo >= LEAST_SHARE * total else f"{said}: too few for a model that makes stereo sounds."


def has_two_channels(path: Path) -> bool:
    """Whether a file has two channels, by its header; errors as above."""
    with open_sound(path) as sound:
        return sound.channels == 2


def image_of_sound(sound: CachedSound, stereo: bool = True, cancel_event: threading.Event | None = None) -> StereoImage:
    """Return the image of a decoded sound, or of its part; it is measured once and kept in the cache.

    Where ``stereo`` is False it is that of two equal channels, with the levels of the sound.

    Raises
    ------
    SoundError
        The file cannot be used any more, or has changed since it was decoded.
    Cancelled
        ``cancel_event`` was set.
    """
    whole = _whole(sound)

    def measure() -> FloatArray:
        image = _mono_image(whole, cancel_event)
        if stereo:
            pair = image_of_file(sound.source, cancel_event)
            if len(pair) != len(image):
                raise SoundError("the file has changed since it was decoded")
            image = replace(pair, level=image.level)
        return np.stack([image.balance, image.likeness, image.level], axis=1).astype(np.float16)

    image_file = whole.derived(f"{'stereo' if stereo else 'mono'} image {_VERSION}", measure)
    stereo_columns = read_derived(image_file, 0, columns_of(whole.samples)).astype(np.float32)
    if stereo_columns.shape != (columns_of(whole.samples), 3, BANDS):
        raise SoundError("its stereo image in the cache is damaged")
    balance, likeness, level = np.ascontiguousarray(stereo_columns.transpose(1, 0, 2))
    image = StereoImage(balance, likeness, level).held()
    return image if sound is whole else image.part(sound.start, sound.samples)


def image_of_file(path: Path, cancel_event: threading.Event | None = None, base: int = MIX) -> StereoImage:
    """Return the image of a file of two channels as it is, measured now; errors are those of `stream_channels`."""
    meter = ImageMeter(base)
    for block in stream_channels(path, cancel_event):
        meter.add(block)
    return meter.image()


def _whole(sound: CachedSound) -> CachedSound:
    if (sound.start, sound.samples) == (0, sound.total_samples):
        return sound
    return replace(sound, start=0, samples=sound.total_samples)


def _mono_image(sound: CachedSound, cancel_event: threading.Event | None) -> StereoImage:
    meter, size = ImageMeter(), _READ_S * SAMPLE_RATE
    for start in range(0, sound.samples, size):
        if cancel_event is not None and cancel_event.is_set():
            raise Cancelled
        mono = sound.read(start, min(size, sound.samples - start))
        meter.add(np.stack([mono, mono], axis=1))
    return meter.image()
