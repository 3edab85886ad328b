"""Notes on the player: beside its sound, through the same device, and whatever the device does."""

import os
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.control.pads_keys_and_knobs import Board
from distill.errors import PlaybackError
from distill.playback import output_device
from distill.playback import player as player_module
from distill.playback.instrument import Instrument, Strike
from distill.playback.output_device import BUFFER_SECONDS, LIVE_BUFFER_SECONDS, OutputDevice
from distill.playback.player import Player, PlayerState
from distill.playback.tracks import Sound, load_sound
from tests.playback.listening import FakeOutput, Floats, Journal, correlations, noise, write
from tests.support.sound_card import NullSink

Fake = tuple[Player, list[FakeOutput], Journal]


def wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def armed(fake: Fake, *paths: Path) -> tuple[Player, FakeOutput]:
    player, outputs, _ = fake
    player.arm(True)
    player.prepare(paths)
    wait(lambda: outputs and outputs[-1].is_running and is_idle(player))
    assert outputs[-1].live_seconds == LIVE_BUFFER_SECONDS
    return player, outputs[-1]


def is_idle(player: Player) -> bool:
    """Return once the player's thread has done everything it was asked for."""
    done: list[bool] = []
    player.call(lambda: done.append(True))
    wait(lambda: done)
    return True


def runs_dry(output: FakeOutput) -> bool:
    """Have some dropouts."""
    output.underflows += 3
    time.sleep(0.01)
    return True


def steady(tmp_path: Path, level: float = 0.25, name: str = "flat.wav") -> Path:
    return write(tmp_path / name, np.full((24_000, 1), level, np.float32))


def test_a_ready_note_is_in_the_next_block(fake: Fake, tmp_path: Path) -> None:
    sound = steady(tmp_path)
    player, output = armed(fake, sound)
    assert np.abs(output.pull(128)).max() == 0.0
    player.strike(Strike(sound, "a", 127))
    player.strike(Strike(sound, "b", 64))
    assert output.pull(128)[64, 0] == pytest.approx(0.25 * (1 + (64 / 127) ** 2), abs=1e-3)
    player.release("a")
    output.pull(6000)
    assert output.pull(128)[64, 0] == pytest.approx(0.25 * (64 / 127) ** 2, abs=1e-3)
    player.release_all()
    output.pull(6000)
    assert np.abs(output.pull(128)).max() == 0.0
    assert output.is_running, "the device waits for the next note"


class Preparations:
    """What an instrument makes ready, while the player's thread does something else first."""

    def __init__(self, player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[tuple[str, int]] = []
        self.decoded: list[str] = []
        self._player, self._go_on = player, threading.Event()
        prepare = Instrument.prepare

        def noted(instrument: Instrument, path: Path, semitones: int = 0, *more: Any) -> Any:
            self.done.append((path.name, semitones))
            return prepare(instrument, path, semitones, *more)

        def decoding(path: Path) -> Sound:
            self.decoded.append(path.name)
            return load_sound(path)

        monkeypatch.setattr(Instrument, "prepare", noted)
        monkeypatch.setattr("distill.playback.instrument.load_sound", decoding)
        player._put(self._block)

    def _block(self) -> None:
        assert self._go_on.wait(10)

    def run(self) -> None:
        self._go_on.set()
        is_idle(self._player)


def test_a_sound_is_decoded_once_for_all_pitches_and_nothing_waits_for_all_of_them(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound, other = steady(tmp_path), steady(tmp_path, name="other.wav")
    player, _ = armed(fake)
    seen = Preparations(player, monkeypatch)
    player.prepare([sound], range(-12, 13))
    player.call(lambda: seen.done.append(("called", 0)))
    player.play(other)
    player._put(lambda: seen.done.append(("played", 0)))
    player.strike(Strike(other))
    seen.run()
    assert seen.done[:2] == [("played", 0), ("other.wav", 0)], "what is to be heard comes first"
    assert sorted(seen.done[2:-1]) == [("flat.wav", semitones) for semitones in range(-12, 13)]
    assert seen.done[-1] == ("called", 0), "after all that was requested before"
    assert sorted(seen.decoded) == ["flat.wav", "other.wav"]


def test_a_file_that_was_written_anew_is_decoded_anew(fake: Fake, tmp_path: Path) -> None:
    sound = steady(tmp_path)
    player, output = armed(fake, sound)
    steady(tmp_path, 0.5)
    os.utime(sound, (1, 1))  # not within one tick of the clock
    player.prepare([sound])
    is_idle(player)
    player.strike(Strike(sound))
    assert output.pull(128)[64, 0] == pytest.approx(0.5, abs=1e-3)
    sound.unlink()
    player.prepare([sound])
    is_idle(player)
    player.strike(Strike(sound))
    output.pull(1024)
    assert output.pull(128)[64, 0] == pytest.approx(0.5, abs=1e-3), "it is still held"
    assert fake[2] == []


def test_a_file_that_changes_between_two_pitches_is_decoded_anew(tmp_path: Path) -> None:
    sound, instrument = steady(tmp_path), Instrument(FakeOutput.format)
    decoded = instrument.prepare(sound)
    steady(tmp_path, 0.5)
    os.utime(sound, (1, 1))
    instrument.prepare(sound, 1, decoded)
    assert instrument.play(Strike(sound, semitones=1))
    block = np.zeros((2048, 2), np.float32)
    instrument.mixer.add_to(block, 1.0)
    assert block[-1, 0] == pytest.approx(0.5, abs=1e-3)


def test_each_key_of_a_piano_has_its_own_pitch(fake: Fake, tmp_path: Path) -> None:
    sound = write(tmp_path / "noise.wav", noise(0.5))
    player, output = armed(fake)
    board = Board(player)
    board.key_sound = sound
    for semitones in (-39, -38, 0, 47, 48):  # A0 to C8, where C4 is the sound as it is
        board.strike_key(semitones, 127)
        is_idle(player)
        samples = round(24_000 / 2 ** (semitones / 12))
        heard = np.abs(output.pull(samples + 2048)).max(axis=1)
        assert int(np.flatnonzero(heard)[-1]) == pytest.approx(samples, rel=0.02)


def test_a_sound_that_the_keys_do_not_play_any_more_is_not_made_ready(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, _ = armed(fake)
    seen, board = Preparations(player, monkeypatch), Board(player)
    for number in range(5):
        board.key_sound = steady(tmp_path, name=f"{number}.wav")
        board.prepare_keys()
    seen.run()
    assert [name for name, _ in seen.done] == ["4.wav"] * 25


def test_a_long_sound_of_the_keys_leaves_room_for_its_own_pitch_and_for_the_pads(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pad, long = steady(tmp_path), write(tmp_path / "long.wav", noise(2.0))
    player, _ = armed(fake, pad)
    monkeypatch.setattr("distill.playback.instrument.MOST_BYTES", 10 * 2 * 4 * 96_000)
    board = Board(player)
    board.key_sound = long
    board.prepare_keys()
    is_idle(player)
    assert player._source.instrument is not None
    assert player._source.instrument.play(Strike(pad))
    assert [player._source.instrument.play(Strike(long, semitones=n)) for n in (0, -1, 1)] == [True] * 3
    player._source.instrument.mixer.clear()


def test_a_preparation_that_fails_does_not_stop_those_after_it(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, _ = armed(fake)
    sound = steady(tmp_path)

    def fail() -> bool:
        raise RuntimeError("a bug")

    monkeypatch.setattr("distill.diagnostics.report", lambda *_args, **_more: None)
    player.prepare([sound], (0,), fail)
    is_idle(player)
    player.prepare([tmp_path / "gone.wav"])
    player.arm(False)
    player.arm(True)
    player.prepare([sound])
    is_idle(player)
    assert player._source.instrument is not None
    assert player._source.instrument.play(Strike(sound))


def test_a_note_whose_sound_is_not_ready_comes_later_and_at_its_pitch(fake: Fake, tmp_path: Path) -> None:
    turn = 2 * np.pi * 400 * np.arange(48_000) / 48_000
    sound = write(tmp_path / "tone.wav", (0.5 * np.sin(turn))[:, np.newaxis].astype(np.float32))
    player, output = armed(fake)
    player.strike(Strike(sound, 0, 127, semitones=12))
    is_idle(player)
    heard = output.pull(16_384)[:, 0]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * 48_000 / len(heard) == pytest.approx(800, abs=4)
    assert np.abs(output.pull(9_000)[-500:]).max() == 0.0, "an octave up is half as long"


@pytest.mark.parametrize("releases", [lambda player: player.release("a"), lambda player: player.release_all()])
def test_a_note_that_is_released_before_its_sound_is_ready_does_not_go_on(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, releases: Callable[[Player], None]
) -> None:
    sound = steady(tmp_path)
    player, output = armed(fake)
    seen = Preparations(player, monkeypatch)
    player.strike(Strike(sound, "a"))
    releases(player)
    player.strike(Strike(sound, "b", semitones=1))
    seen.run()
    assert output.pull(128)[-1, 0] > 0.25, "both begin"
    output.pull(6000)
    assert output.pull(128)[64, 0] == pytest.approx(0.25, abs=1e-3), "the other one is held"
    player.strike(Strike(sound, "a"))
    output.pull(6000)
    assert output.pull(128)[64, 0] == pytest.approx(0.5, abs=1e-3), "it is held when it is played again"


def test_a_note_that_cannot_be_played_leaves_the_sound_that_plays(fake: Fake, tmp_path: Path) -> None:
    sound = steady(tmp_path)
    player, output = armed(fake)
    player.play(sound)
    fake[2].await_state(PlayerState.PLAYING)
    player.strike(Strike(tmp_path / "gone.wav"))
    status = fake[2].await_error()
    assert (status.state, status.path, status.seconds) == (PlayerState.PLAYING, sound, 0.5)
    assert "gone.wav" in (status.error or "")
    assert output.pull(128)[64, 0] == pytest.approx(0.25, abs=1e-3)
    player.stop()
    assert fake[2].await_state(PlayerState.IDLE).error is None


def test_a_sound_plays_beside_notes_and_its_end_is_told(fake: Fake, tmp_path: Path) -> None:
    sound, other = steady(tmp_path), steady(tmp_path, 0.125, "other.wav")
    player, output = armed(fake, sound)
    player.play(other)
    fake[2].await_state(PlayerState.PLAYING)
    player.strike(Strike(sound))
    assert output.pull(128)[64, 0] == pytest.approx(0.375, abs=1e-3)
    assert fake[1] == [output], "one device for both"
    for _ in range(40):
        output.pull(1024)
    assert fake[2].await_state(PlayerState.IDLE).error is None
    assert output.is_running


def test_a_stopped_sound_fades_while_notes_go_on(fake: Fake, tmp_path: Path) -> None:
    sound, other = steady(tmp_path), steady(tmp_path, 0.125, "other.wav")
    player, output = armed(fake, sound)
    player.strike(Strike(sound))
    player.play(other)
    fake[2].await_state(PlayerState.PLAYING)
    output.pull(1024)
    player.stop()
    fake[2].await_state(PlayerState.IDLE)
    heard = output.pull(512)[:, 0]
    assert np.abs(np.diff(heard)).max() < 0.01
    assert heard[-1] == pytest.approx(0.25, abs=1e-3)


def test_the_next_sound_begins_while_the_last_one_fades(fake: Fake, tmp_path: Path) -> None:
    sound, other = steady(tmp_path), steady(tmp_path, 0.001, "other.wav")
    player, output = armed(fake)
    player.play(sound)
    fake[2].await_path(sound)
    heard = [output.pull(1024)]
    player.play(other)
    fake[2].await_path(other)  # before the device asks for a block
    heard += [output.pull(128) for _ in range(4)]
    assert np.abs(np.diff(np.concatenate(heard)[:, 0])).max() < 0.01
    assert heard[-1][-1, 0] == pytest.approx(0.001, abs=1e-4)


@pytest.mark.parametrize("closes", [lambda player: player.arm(False), lambda player: player._put(player._lose_device)])
def test_notes_do_not_go_on_when_the_device_is_opened_again(
    fake: Fake, tmp_path: Path, closes: Callable[[Player], None]
) -> None:
    sound = steady(tmp_path)
    player, output = armed(fake, sound)
    player.strike(Strike(sound))
    output.pull(1024)
    player.release_all()
    closes(player)
    is_idle(player)
    player.arm(False)
    player.arm(True)
    is_idle(player)
    assert output.is_closed
    assert np.abs(fake[1][-1].pull(1024)).max() == 0.0


def test_notes_fade_before_the_device_is_closed(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.playback.instrument.MOST_FADE_SECONDS", 30.0)
    sound = write(tmp_path / "long.wav", np.full((480_000, 1), 0.25, np.float32))
    player, output = armed(fake, sound)
    player.strike(Strike(sound))
    heard = [output.pull(1024)]
    player.arm(False)
    player.release_all()  # as the page does, whichever comes first
    while not output.is_closed:
        heard.append(output.pull(128))
        time.sleep(0.001)
    assert heard[0][-1, 0] == pytest.approx(0.25, abs=1e-3)
    assert np.abs(np.diff(np.concatenate(heard)[:, 0])[1:]).max() < 0.01
    assert heard[-1][-1, 0] == 0.0


def test_notes_go_on_through_another_device(fake: Fake, tmp_path: Path) -> None:
    sound = steady(tmp_path)
    player, output = armed(fake, sound)
    player.strike(Strike(sound))
    output.pull(1024)
    player.choose_device(OutputDevice("other", "api"))
    is_idle(player)
    assert output.is_closed
    assert fake[1][-1].pull(128)[64, 0] == pytest.approx(0.25, abs=1e-3)


def test_disarmed_the_next_sound_has_the_long_buffer_again(fake: Fake, tmp_path: Path) -> None:
    sound = steady(tmp_path)
    player, output = armed(fake, sound)
    player.arm(False)
    is_idle(player)
    assert output.is_closed
    player.play(sound)
    fake[2].await_state(PlayerState.PLAYING)
    assert fake[1][-1].live_seconds is None
    player.strike(Strike(sound, velocity=127))  # a note all the same, through the device that is open
    is_idle(player)
    assert fake[1][-1].pull(128)[64, 0] == pytest.approx(0.5, abs=1e-3)


def test_a_device_at_rest_is_started_by_a_note(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = steady(tmp_path)
    player, output = armed(fake, sound)
    monkeypatch.setattr("distill.playback.block_source.ARMED_SECONDS", 0.0)
    output.pull(128)  # and is drained
    output.is_running = False
    player.strike(Strike(sound))
    is_idle(player)
    assert output.is_running
    assert output.pull(128)[64, 0] == pytest.approx(0.25, abs=1e-3)


def test_a_note_that_comes_while_the_device_drains_is_heard_at_once(fake: Fake, tmp_path: Path) -> None:
    sound = steady(tmp_path)
    player, outputs, _ = fake
    player.strike(Strike(sound, "a"))  # not armed: the device stops after each note
    is_idle(player)
    output, block = outputs[-1], np.zeros((24_001, 2), np.float32)
    assert output.fill(block)
    assert not output.fill(block), "the end; what is queued in the device is still played"
    player.strike(Strike(sound, "b"))
    output.is_running = False
    output.on_drained()
    is_idle(player)
    assert outputs[-1].is_running
    assert outputs[-1].pull(128)[64, 0] == pytest.approx(0.25, abs=1e-3)


def test_a_note_that_comes_just_as_the_device_stops_is_heard_at_once(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = steady(tmp_path)
    player, output = armed(fake, sound)
    play = Instrument.play

    def stopped_before(instrument: Instrument, strike: Strike) -> bool:
        monkeypatch.undo()
        output.is_running = False
        output.on_drained()
        return play(instrument, strike)

    monkeypatch.setattr(Instrument, "play", stopped_before)
    player.strike(Strike(sound))
    is_idle(player)
    assert output.is_running
    assert output.pull(128)[64, 0] == pytest.approx(0.25, abs=1e-3)


def test_a_note_is_heard_although_the_device_stops_while_its_sound_is_decoded(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = steady(tmp_path)
    player, outputs, _ = fake

    def stopping(path: Path) -> Sound:
        output = outputs[-1]
        assert not output.fill(np.zeros((128, 2), np.float32)), "there is nothing to play yet"
        output.is_running = False
        output.on_drained()
        return load_sound(path)

    monkeypatch.setattr("distill.playback.instrument.load_sound", stopping)
    player.strike(Strike(sound))
    is_idle(player)
    assert outputs[-1].is_running
    assert outputs[-1].pull(128)[64, 0] == pytest.approx(0.25, abs=1e-3)


def test_the_buffer_grows_where_the_device_runs_dry(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_module, "LOOK_SECONDS", 0.01)
    sound = steady(tmp_path)
    player, output = armed(fake, sound)
    used = [output.live_seconds]
    while used[-1] != BUFFER_SECONDS:
        wait(lambda: runs_dry(fake[1][-1]) and fake[1][-1].live_seconds != used[-1] and fake[1][-1].is_running)
        output = fake[1][-1]
        used.append(output.live_seconds)
    assert used == [min(LIVE_BUFFER_SECONDS * 2**n, BUFFER_SECONDS) for n in range(len(used))]
    for _ in range(20):
        runs_dry(output)
    is_idle(player)
    assert fake[1][-1] is output, "it does not grow without end"
    player.strike(Strike(sound))
    assert output.pull(128)[64, 0] == pytest.approx(0.25, abs=1e-3), "the sounds are still ready"


def test_no_device_and_a_broken_driver_never_end_the_thread(tmp_path: Path) -> None:
    journal, faults, outputs = Journal(), [PlaybackError("No device."), RuntimeError("a bug")], list[FakeOutput]()

    def open_output(
        fill: Callable[[Floats], bool], on_drained: Callable[[], None], device: object, live_seconds: float
    ) -> FakeOutput:
        if faults:
            raise faults.pop(0)
        outputs.append(FakeOutput(fill, on_drained, device))
        return outputs[-1]

    player, sound = Player(journal, open_output), steady(tmp_path)  # type: ignore[arg-type]
    try:
        player.arm(True)
        assert journal.await_error().state is PlayerState.NO_DEVICE
        player.strike(Strike(sound))
        wait(lambda: "failed" in (journal[-1].error or ""))
        player.strike(Strike(tmp_path / "missing.wav"))
        wait(lambda: "missing.wav" in (journal[-1].error or ""))
        player.strike(Strike(sound))
        is_idle(player)
        assert outputs[-1].pull(128)[64, 0] == pytest.approx(0.25, abs=1e-3)
    finally:
        player.close()
        player.close()


def test_notes_are_heard_through_a_real_device(
    null_sink: NullSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_device, "LIVE_BUFFER_SECONDS", 0.2)  # a busy machine does not keep up with less
    sounds = [write(tmp_path / f"{n}.wav", noise(0.2) * np.float32((n + 1) / 4)) for n in range(3)]
    journal = Journal()
    player = Player(journal)
    try:
        with null_sink.recording() as take:
            player.arm(True)
            player.prepare(sounds)
            for sound in sounds:
                time.sleep(0.8)
                player.strike(Strike(sound))
                wait(lambda: player.sounding == 0)
            time.sleep(0.8)
        assert all(status.error is None for status in journal)
    finally:
        player.close()
    level = np.abs(take.audio[: len(take.audio) // 480 * 480]).reshape(-1, 480).max(1)
    loud = np.flatnonzero(level > 0.02) / 100
    starts = [loud[0], *(now for before, now in pairwise(loud) if now - before > 0.3)]
    assert len(starts) == 3, (starts, level.round(2).tolist())
    assert min(correlations(take.audio, noise(0.2)[:, 0])) > 0.9
