"""What is handed to the device, frame by frame: loops, jumps, crossfades, and where the ear is."""

from pathlib import Path

import numpy as np
import pytest

from distill.playback.block_source import FADE_FRAMES, Voice
from distill.playback.tracks import Sound, Track
from tests.playback.listening import Floats

RATE = 48_000


def track(frames: Floats, tail_seconds: float = 0.1) -> Track:
    return Track.from_sound(Sound(Path("a"), frames, RATE), tail_seconds, np.zeros((1, 2), np.float32))


def counting(frames: int, offset: float = 0.0) -> Floats:
    """Each frame says its own number, so that none can be missing or come twice."""
    return np.repeat(np.arange(frames, dtype=np.float32)[:, np.newaxis] + offset, 2, axis=1)


def pull(voice: Voice, blocks: list[int], is_looping: bool = False, channels: int = 2) -> Floats:
    made = []
    for size in blocks:
        block = np.full((size, channels), np.nan, np.float32)
        voice.fill(block, 1.0, is_looping)
        made.append(block)
    heard: Floats = np.concatenate(made)
    return heard


@pytest.mark.parametrize("length", [7, 1023, 1024, 1025, 5000])
def test_a_loop_leaves_no_frame_out_and_puts_none_in(length: int) -> None:
    sound = counting(length)
    sound[-length // 5 :] = 0.0  # silence at the end is part of the sound
    heard = pull(Voice(track(sound), RATE, 0.0, 1.0), [1024] * 20, is_looping=True)
    np.testing.assert_array_equal(heard, np.resize(sound, heard.shape))


def test_a_loop_can_be_entered_and_left_at_any_time() -> None:
    voice = Voice(track(counting(1000)), RATE, 0.0, 1.0)
    pull(voice, [900])
    np.testing.assert_array_equal(pull(voice, [200], is_looping=True)[:, 0], np.arange(900, 1100) % 1000)
    heard = pull(voice, [1000])  # no longer: it plays to its end, then there is silence
    np.testing.assert_array_equal(heard[:900, 0], np.arange(100, 1000))
    assert not heard[900:].any()
    np.testing.assert_array_equal(pull(voice, [300], is_looping=True)[:, 0], np.arange(300))  # asked for after the end


def test_the_end_is_told_once_all_is_handed_over() -> None:
    voice = Voice(track(counting(1000), tail_seconds=0.01), RATE, 0.0, 1.0)
    block = np.empty((1480, 2), np.float32)
    assert voice.fill(block, 1.0, False)
    assert voice.is_at_end
    assert not voice.fill(block, 1.0, False)
    assert not block.any()


@pytest.mark.parametrize("size", [1024, 128])  # the blocks of notes are shorter than the crossfade
def test_a_jump_crosses_over_without_a_step(size: int) -> None:
    turn = 2 * np.pi * 200 * np.arange(RATE) / RATE
    voice = Voice(track(np.sin(turn).astype(np.float32)[:, np.newaxis]), RATE, 0.0, 1.0)
    before = pull(voice, [size] * (6144 // size), channels=1)
    voice.jump(0.50125)  # a quarter of a turn off: the worst place
    after = pull(voice, [size] * (6144 // size), channels=1)
    heard = np.concatenate([before, after])[:, 0]
    # The crossfade itself adds a little to the largest step of the tone; a jump without one would step by 1.
    assert np.abs(np.diff(heard)).max() < 1.6 * np.abs(np.diff(np.sin(turn))).max()
    np.testing.assert_allclose(after[1024:, 0], np.sin(turn)[24_060 + 1024 : 24_060 + len(after)], atol=1e-6)


def test_a_jump_within_a_crossfade_waits_for_its_end() -> None:
    turn = 2 * np.pi * 200 * np.arange(RATE) / RATE
    voice = Voice(track(np.sin(turn).astype(np.float32)[:, np.newaxis]), RATE, 0.0, 1.0)
    parts = [pull(voice, [100] * 10, channels=1)]
    for seconds in (0.50125, 0.2):
        voice.jump(seconds)
        parts.append(pull(voice, [100], channels=1))
    parts.append(pull(voice, [100] * 10, channels=1))
    heard = np.concatenate(parts)[:, 0]
    assert np.abs(np.diff(heard)).max() < 1.6 * np.abs(np.diff(np.sin(turn))).max()
    assert voice.seconds_heard(0.0) == pytest.approx(0.2 + 900 / RATE)  # of eleven blocks two end the first crossfade


def test_the_other_track_goes_on_at_the_same_frame() -> None:
    one, other = track(counting(9000)), track(counting(9000, offset=50_000.0))
    voice = Voice(one, RATE, 0.0, 1.0)
    pull(voice, [1000])
    voice.track = other
    heard = pull(voice, [1024])[:, 0]
    assert heard[0] < 1100  # it begins with what was heard
    assert (np.diff(heard[:FADE_FRAMES]) > 0).all()  # one way across
    np.testing.assert_array_equal(heard[FADE_FRAMES:], np.arange(1000 + FADE_FRAMES, 2024) + 50_000)


def test_the_playhead_is_at_the_ear() -> None:
    voice = Voice(track(counting(RATE)), RATE, 0.0, 1.0)
    assert voice.seconds_heard(0.2) == 0.0
    pull(voice, [RATE // 2])
    assert voice.seconds_heard(0.2) == pytest.approx(0.3)
    voice.jump(0.75)
    pull(voice, [480])
    assert voice.seconds_heard(0.2) == pytest.approx(0.75)  # where one jumped to, not before it
    pull(voice, [RATE // 4], is_looping=True)
    assert voice.seconds_heard(0.2) == pytest.approx(0.81)  # begun again, while the ear is still before the end
    pull(voice, [RATE // 4], is_looping=True)
    assert voice.seconds_heard(0.2) == pytest.approx(0.06)
