"""Two sounds that are compared, as a loudspeaker gets them."""

import time
from pathlib import Path

import numpy as np
import pytest
import soxr

from distill.playback.loudness import loudness
from distill.playback.player import Player, PlayerState
from tests.playback.listening import FakeOutput, Floats, Journal, noise, write
from tests.support.sound_card import NullSink

Fake = tuple[Player, list[FakeOutput], Journal]


def tone_pair(seconds: float = 2.5) -> tuple[Floats, Floats]:
    """A sound and a "reconstruction" of it: 9 dB louder, duller, otherwise the same."""
    original = 0.25 * noise(seconds)
    duller = np.convolve(original[:, 0], np.ones(6) / 6, "same").astype(np.float32)[:, np.newaxis]
    return original, 2.8 * duller


def envelope(audio: Floats, frames: int = 240) -> Floats:
    """Level of each 5 ms."""
    pieces = audio[: len(audio) // frames * frames].reshape(-1, frames)
    level: Floats = np.sqrt((pieces**2).mean(axis=1))
    return level


def toggled_recording(player: Player, sink: NullSink, journal: Journal, paths: tuple[Path, Path]) -> Floats:
    with sink.recording() as take:
        player.compare(*paths)
        journal.await_state(PlayerState.PLAYING)
        for _ in range(4):
            time.sleep(0.35)
            player.toggle()
        journal.await_state(PlayerState.IDLE)
    assert player.underflows == 0
    return take.audio


def best_position(recording: Floats, wanted: Floats) -> int:
    size = 2 ** int(np.ceil(np.log2(len(recording) + len(wanted))))
    product = np.fft.irfft(np.fft.rfft(recording, size) * np.conj(np.fft.rfft(wanted, size)), size)
    return int(np.argmax(product[: len(recording)]))


def test_switching_leaves_no_gap_and_keeps_the_place(
    player: Player, null_sink: NullSink, journal: Journal, tmp_path: Path
) -> None:
    original, model = tone_pair()
    paths = write(tmp_path / "model.wav", model), write(tmp_path / "original.wav", original)
    heard = toggled_recording(player, null_sink, journal, paths)
    assert [status.path for status in journal if status.state is PlayerState.PLAYING] == [
        paths[0], paths[1], paths[0], paths[1], paths[0],
    ]  # fmt: skip
    start = best_position(heard, original[:, 0])
    take = heard[start : start + len(original)]

    # Each 50 ms is one of the two at its own place, to the sample; only where they cross over it is a bit of both.
    step, which = 2400, []
    for at in range(0, len(original) - step, step):
        piece = take[at : at + step]
        likeness = [float(np.corrcoef(piece, s[at : at + step, 0])[0, 1]) for s in (model, original)]
        which.append(int(np.argmax(likeness)) if max(likeness) > 0.999 else -1)
    switches = [n for n, side in enumerate(which) if side == -1]
    assert len(switches) <= 4
    sides = [side for n, side in enumerate(which) if side != -1 and (n == 0 or which[n - 1] != side)]
    assert [s for n, s in enumerate(sides) if n == 0 or sides[n - 1] != s] == [0, 1, 0, 1, 0]

    # No gap: the quietest 5 ms are not quieter than noise happens to be, and nothing is zero for a millisecond.
    level = envelope(take)
    assert level.min() > 0.4 * np.median(level)
    zeros = np.convolve(np.abs(take) < 1e-6, np.ones(48), "valid")
    assert zeros.max() < 48

    # As loud as each other: within half a decibel, by the ear's measure, over all pieces of each.
    pieces: tuple[list[Floats], list[Floats]] = ([], [])
    for n, side in enumerate(which):
        if side >= 0:
            pieces[side].append(take[n * step : (n + 1) * step])
    loud = [loudness(np.concatenate(side)[:, np.newaxis], 48_000) for side in pieces]
    assert loud[0] == pytest.approx(loud[1], abs=0.5)


def test_the_quieter_one_is_heard_as_it_is(fake: Fake, tmp_path: Path) -> None:
    player, outputs, journal = fake
    original, model = tone_pair(1.0)
    player.compare(write(tmp_path / "m.wav", model), write(tmp_path / "o.wav", original))
    journal.await_state(PlayerState.PLAYING)
    first = outputs[0].pull(9600)[:, 0]
    player.toggle()
    journal.await_path(tmp_path / "o.wav")
    second = outputs[0].pull(9600)[256:, 0]
    np.testing.assert_allclose(second, original[9856:19_200, 0], atol=1e-3)  # turned neither up nor down
    assert np.abs(first).max() < 0.5 * np.abs(model[:9600]).max()


def test_sounds_of_other_rates_and_lengths_are_at_the_same_place(fake: Fake, tmp_path: Path) -> None:
    player, outputs, journal = fake
    original = 0.5 * noise(1.0)
    short = soxr.resample(original[:24_000], 48_000, 44_100)
    player.compare(write(tmp_path / "m.wav", short, 44_100), write(tmp_path / "o.wav", original))
    assert journal.await_state(PlayerState.PLAYING).seconds == pytest.approx(1.0)
    outputs[0].pull(4800)
    model = outputs[0].pull(4800)[:, 0]
    player.toggle()
    journal.await_path(tmp_path / "o.wav")
    outputs[0].pull(4800)
    assert np.corrcoef(model, original[4800:9600, 0])[0, 1] > 0.99
    np.testing.assert_allclose(
        outputs[0].pull(33_600)[:, 1], original[14_400:, 0], atol=0.02
    )  # to the longer one's end
    player.toggle()
    journal.await_path(tmp_path / "m.wav")


def test_a_comparison_goes_on_where_one_is_heard_already(fake: Fake, tmp_path: Path) -> None:
    player, outputs, journal = fake
    original, model = tone_pair(1.0)
    paths = write(tmp_path / "m.wav", model), write(tmp_path / "o.wav", original)
    player.play(paths[1])
    journal.await_state(PlayerState.PLAYING)
    outputs[0].pull(4800)
    player.compare(*paths)
    journal.await_path(paths[0])
    outputs[0].pull(1024)
    heard = outputs[0].pull(9600)[:, 0]
    assert np.corrcoef(heard, model[5824:15_424, 0])[0, 1] > 0.999
    assert len(outputs) == 1


def test_switching_after_the_end_plays_the_other_one(fake: Fake, tmp_path: Path) -> None:
    player, outputs, journal = fake
    player.toggle()  # nothing to compare: nothing happens
    paths = write(tmp_path / "m.wav", noise(0.1)), write(tmp_path / "o.wav", -noise(0.1))
    player.compare(*paths)
    journal.await_state(PlayerState.PLAYING)
    while outputs[0].is_running:
        outputs[0].pull(4800)
    assert journal.await_state(PlayerState.IDLE).pair == paths
    player.toggle()
    assert journal.await_state(PlayerState.PLAYING).path == paths[1]
    np.testing.assert_allclose(outputs[0].pull(4800)[:, 0], -noise(0.1)[:, 0], atol=1e-3)
    player.play(paths[0])
    assert journal.await_path(paths[0]).pair is None


def test_an_original_that_is_gone_is_told(fake: Fake, tmp_path: Path) -> None:
    player, _, journal = fake
    player.compare(write(tmp_path / "m.wav", noise(0.1)), tmp_path / "gone.wav")
    assert "gone.wav" in str(journal.await_error().error)


def test_where_an_original_is_gone_the_sound_that_plays_goes_on(fake: Fake, tmp_path: Path) -> None:
    player, outputs, journal = fake
    sound = write(tmp_path / "m.wav", noise(0.5))
    player.play(sound)
    journal.await_state(PlayerState.PLAYING)
    outputs[0].pull(4800)
    player.compare(sound, tmp_path / "gone.wav")
    status = journal.await_error()
    assert (status.state, status.path, status.pair) == (PlayerState.PLAYING, sound, None)
    assert player.position_seconds == pytest.approx(0.1)
    assert np.abs(outputs[0].pull(4800)).max() > 0.1


def test_a_group_is_equally_loud_and_switched_by_number(fake: Fake, tmp_path: Path) -> None:
    player, outputs, journal = fake
    sounds = [gain * noise(0.5 + 0.1 * n) for n, gain in enumerate((0.8, 0.1, 0.3))]
    paths = tuple(write(tmp_path / f"{n}.wav", sound) for n, sound in enumerate(sounds))
    player.compare_group(paths, 1)
    status = journal.await_state(PlayerState.PLAYING)
    assert (status.path, status.group, status.pair) == (paths[1], paths, None)
    levels = []
    for number in (1, 0, 2):
        player.switch_to(number)
        journal.await_path(paths[number])
        outputs[-1].pull(480)  # the crossfade
        levels.append(float(np.sqrt((outputs[-1].pull(4800) ** 2).mean())))
    assert max(levels) < 1.2 * min(levels)
    player.toggle()
    journal.await_path(paths[0])
    player.switch_to(3)
    player.stop()
    journal.await_state(PlayerState.IDLE)
