"""The sounds that variations, morphs, extensions and repainted parts are made from, and what refuses one.  No torch."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distill.audio.decoding.mono_decoder import SAMPLE_RATE, MeasuredSound, measure_mono
from distill.audio.decoding.open_sound import read_header
from distill.errors import SoundError

#: Longest source, in seconds: all of it is held in memory, and of a variation all is computed anew.
MOST_SOURCE_S = 300.0


def measure_source(path: Path, kind: str, cancel_event: threading.Event | None = None) -> MeasuredSound:
    """Return what is known of a source once it is decoded; one that is too long is refused before, by its header.

    Raises
    ------
    SoundError
        The file cannot be used, or is too long; the message is the reason alone.
    Cancelled
        ``cancel_event`` was set.
    """
    _check_length(read_header(path).duration_s, kind)
    sound = measure_mono(path, cancel_event)
    _check_length(sound.samples / SAMPLE_RATE, kind)  # not every header tells the truth
    return sound


def _check_length(seconds: float, kind: str) -> None:
    if seconds > MOST_SOURCE_S:
        raise SoundError(f"it is {seconds:.0f} s long, and can be {kind} up to {MOST_SOURCE_S:.0f} s")


@contextmanager
def sound_named(path: Path) -> Iterator[None]:
    """Turn the reason for which a sound cannot be used into a sentence that names it."""
    try:
        yield
    except SoundError as exc:
        raise SoundError(f"{path.name} cannot be used: {exc}. Choose another sound.") from exc
