"""What the device is given when sounds are exchanged and end."""

from pathlib import Path

import numpy as np
import pytest

from distill.playback.block_source import BlockSource, Voice
from distill.playback.tracks import Track
from tests.playback.listening import Floats


def steady(level: float = 0.5, frames: int = 48_000) -> Voice:
    track = Track(Path("a.wav"), np.full((frames, 2), level, np.float32), frames, np.zeros((1, 2), np.float32))
    return Voice(track, 48_000, 0.0, 1.0)


def source(silence_frames: int = 0) -> BlockSource:
    made = BlockSource(lambda: False, lambda _voice: None)
    made.start(silence_frames)
    return made


def block() -> Floats:
    return np.full((1024, 2), np.nan, np.float32)


def test_the_device_runs_on_until_the_fade_has_been_heard() -> None:
    """A stream that ends would be started again, and what it still had queued cut, by the next click."""
    played = source(silence_frames=4 * 1024)
    played.voice = steady()
    played.fill(block())
    played.voice = None
    blocks = [block() for _ in range(6)]
    goes_on = [played.fill(part) for part in blocks]
    assert goes_on == [True, True, True, True, False, False]
    assert blocks[0][0, 0] > 0.49 > abs(blocks[0][-1, 0])
    assert not np.any(blocks[1:])
    assert not played.is_running


def test_a_sound_that_was_never_heard_does_not_fade_out() -> None:
    """Of three quick clicks the first sound fades out, and the second is not heard."""
    played = source(silence_frames=1024)
    played.voice = steady(0.5)
    played.fill(block())
    played.voice = steady(-0.5)
    played.voice = steady(0.25)
    heard = block()
    assert played.fill(heard)
    assert heard[0, 0] == pytest.approx(0.75, abs=1e-2)
    assert heard[-1, 0] == pytest.approx(0.25, abs=1e-2)


def test_a_sound_that_comes_while_the_last_block_is_filled_keeps_the_device() -> None:
    played, late = source(), steady()

    class Ending(Voice):
        def fill(self, block: Floats, volume: float, is_looping: bool) -> bool:
            played.voice = late
            return False

    played.voice = Ending(steady().track, 48_000, 0.0, 1.0)
    assert played.fill(block())
    assert played.is_running
    assert played.fill(heard := block())
    assert heard[-1, 0] == pytest.approx(0.5)
