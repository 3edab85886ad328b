"""The mixer of notes: levels, fades, groups, and no step in what is heard."""

import numpy as np
import pytest

from distill.playback.note_mixer import CHOKE_SECONDS, RELEASE_SECONDS, VOICES, Mixer, NoteOn, gain_of
from tests.playback.listening import Floats

RATE = 48_000
#: Largest step between two samples of the tone of `tone`.
STEP = 0.5 * 2 * np.pi * 200 / RATE


def tone(seconds: float = 1.0, phase: float = 0.0) -> Floats:
    turn = 2 * np.pi * 200 * np.arange(round(seconds * RATE)) / RATE + phase
    wave: Floats = (0.5 * np.sin(turn)).astype(np.float32)[:, np.newaxis]
    return np.repeat(wave, 2, axis=1)


def pull(mixer: Mixer, frames: int, block: int = 128, volume: float = 1.0) -> Floats:
    parts = []
    for _ in range(frames // block):
        parts.append(np.zeros((block, 2), np.float32))
        mixer.add_to(parts[-1], volume)
    return np.concatenate(parts)[:, 0]


def test_notes_are_summed_by_their_velocities_and_end() -> None:
    mixer = Mixer(RATE, 2)
    mixer.start(NoteOn("a", tone(0.1), 1.0, 0))
    mixer.start(NoteOn("b", tone(0.05), 0.5, 0))
    assert mixer.sounding == 2
    heard = pull(mixer, 128 * 40)
    wanted = np.zeros(128 * 40, np.float32)
    wanted[:4800] += tone(0.1)[:, 0]
    wanted[:2400] += 0.5 * tone(0.05)[:, 0]
    np.testing.assert_allclose(heard, wanted, atol=1e-6)
    assert mixer.sounding == 0
    assert not mixer.add_to(np.zeros((128, 2), np.float32), 1.0)
    assert gain_of(127) == 1.0
    assert gain_of(64) == pytest.approx(0.254, abs=1e-3)


def test_a_block_longer_than_the_work_space_is_filled() -> None:
    mixer = Mixer(RATE, 2)
    mixer.start(NoteOn(0, tone(), 1.0, 0))
    np.testing.assert_allclose(pull(mixer, 6000, 6000), tone()[:6000, 0], atol=1e-6)


def test_a_released_note_fades_without_a_step() -> None:
    mixer = Mixer(RATE, 2)
    mixer.start(NoteOn(0, tone(), 1.0, 0))
    before = pull(mixer, 128 * 47)
    mixer.release("another")
    mixer.release(0)
    after = pull(mixer, 128 * 60)
    heard = np.concatenate([before, after])
    assert np.abs(np.diff(heard)).max() < 1.2 * STEP
    ends = len(before) + round(RELEASE_SECONDS * RATE)
    assert np.abs(heard[ends:]).max() == 0.0
    assert np.abs(heard[ends - 2000 : ends - 1500]).max() > 0.05


@pytest.mark.parametrize("group", [0, 3])
def test_the_same_key_and_the_same_group_make_room(group: int) -> None:
    mixer = Mixer(RATE, 2)
    mixer.start(NoteOn(0, tone(phase=np.pi / 2), 1.0, group))
    mixer.start(NoteOn("stays", tone(), 0.0, 4))
    pull(mixer, 128 * 10)
    mixer.start(NoteOn(1 if group else 0, np.zeros((RATE, 2), np.float32), 1.0, group))
    heard = pull(mixer, 128 * 20)
    assert np.abs(np.diff(heard)).max() < 1.2 * (STEP + 0.5 * np.pi / (CHOKE_SECONDS * RATE))
    assert np.abs(heard[round(CHOKE_SECONDS * RATE) :]).max() == 0.0
    assert mixer.sounding == 2


def test_the_oldest_note_makes_room_without_a_step() -> None:
    mixer = Mixer(RATE, 2)
    flat = np.full((RATE, 2), 0.02, np.float32)
    for key in range(VOICES):
        mixer.start(NoteOn(key, flat, 1.0, 0))
    pull(mixer, 1280)
    for key in range(VOICES, VOICES + 4):
        mixer.start(NoteOn(key, flat, 0.0, 0))
        heard = pull(mixer, 1280)
        assert np.abs(np.diff(heard)).max() < 0.02 * np.pi / (CHOKE_SECONDS * RATE)
    assert mixer.sounding == VOICES
    assert heard[-1] == pytest.approx(0.02 * (VOICES - 4), abs=1e-4)


def test_a_chord_of_both_hands_makes_room_without_a_step() -> None:
    mixer = Mixer(RATE, 2)
    flat = np.full((RATE, 2), 0.02, np.float32)
    for key in range(VOICES):
        mixer.start(NoteOn(key, flat, 1.0, 0))
    before = pull(mixer, 1280)
    for key in range(VOICES, VOICES + 12):
        mixer.start(NoteOn(key, flat, 0.0, 0))
    heard = np.concatenate([before, pull(mixer, 1280)])
    assert np.abs(np.diff(heard)).max() < 12 * 0.02 * np.pi / (CHOKE_SECONDS * RATE)
    assert heard[-1] == pytest.approx(0.02 * (VOICES - 12), abs=1e-4)


def test_a_change_of_the_volume_is_a_ramp_and_too_loud_a_sum_is_held_to_full_scale() -> None:
    mixer = Mixer(RATE, 2)
    mixer.start(NoteOn(0, np.full((RATE, 2), 0.5, np.float32), 1.0, 0))
    pull(mixer, 128)
    heard = pull(mixer, 1280, volume=0.2)
    assert np.abs(np.diff(heard)).max() < 0.005
    assert heard[-1] == pytest.approx(0.1)
    for key in range(1, 5):
        mixer.start(NoteOn(key, np.full((RATE, 2), 0.5, np.float32), 1.0, 0))
    assert pull(mixer, 1280).max() == 1.0


def test_many_notes_at_random_never_step() -> None:
    rng = np.random.default_rng(0)
    mixer, sounds = Mixer(RATE, 2), [tone(0.2) * 0.2, tone(0.4) * 0.2]
    parts = []
    for number in range(600):
        key = int(rng.integers(0, 12))
        if number % 3 == 2:
            mixer.release(key)
        else:
            mixer.start(NoteOn(key, sounds[number % 2], 0.5, int(rng.integers(0, 3))))
        parts.append(pull(mixer, 256))
    mixer.release_all()
    parts.append(pull(mixer, 128 * 60))
    heard = np.concatenate(parts)
    assert np.abs(heard).max() > 0.05
    assert np.abs(np.diff(heard)).max() < 0.05
    assert heard[-1] == 0.0
