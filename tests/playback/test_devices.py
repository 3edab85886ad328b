"""Which device plays: chosen, missing, busy, lost in the middle of a sound, and back again."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from distill.errors import PlaybackError
from distill.playback.output_device import OutputDevice, find_outputs
from distill.playback.player import Player, PlayerState
from tests.playback.listening import PATIENCE_SECONDS, FakeOutput, Floats, Journal, correlations, noise, write
from tests.support.processes import find_program
from tests.support.sound_card import NullSink, restart_portaudio

Fake = tuple[Player, list[FakeOutput], Journal]
CARD = OutputDevice("USB Audio", "ALSA")


@pytest.fixture
def own_sink(null_sink: NullSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NullSink]:
    """A sound card that a test may take away."""
    (tmp_path / "pulse").mkdir()
    sink = NullSink(tmp_path / "pulse")
    with monkeypatch.context() as patch:
        for name, value in sink.environment.items():
            patch.setenv(name, value)
        restart_portaudio()
        yield sink
        sink.stop()
    restart_portaudio()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def pactl(sink: NullSink, *arguments: str) -> None:
    program = find_program("pactl", "pulseaudio-utils")
    subprocess.run([program, *arguments], env={**os.environ, **sink.environment}, check=True, capture_output=True)


def hear_whole(player: Player, sink: NullSink, journal: Journal, path: Path, audio: Floats) -> None:
    with sink.recording() as take:
        player.play(path)
        journal.await_state(PlayerState.PLAYING)
        journal.await_state(PlayerState.IDLE)
    assert min(correlations(take.audio, audio[:, 0])) > 0.99


def test_a_card_that_is_pulled_out_is_told_and_found_again(
    own_sink: NullSink, player: Player, journal: Journal, tmp_path: Path
) -> None:
    """The sound server goes on without the card, as when a USB plug is pulled."""
    audio = noise(0.5)
    long, path = write(tmp_path / "long.wav", noise(20.0)), write(tmp_path / "a.wav", audio)
    player.play(long)
    journal.await_state(PlayerState.PLAYING)
    time.sleep(0.3)
    pactl(own_sink, "unload-module", "module-null-sink")
    assert "gone" in str(journal.await_error().error)
    assert journal[-1].state is PlayerState.NO_DEVICE
    player.play(path)  # still away
    journal.await_error()
    pactl(own_sink, "load-module", "module-null-sink", "sink_name=null", "rate=48000", "channels=2")
    hear_whole(player, own_sink, journal, path, audio)


def test_a_sound_server_that_dies_is_told(own_sink: NullSink, player: Player, journal: Journal, tmp_path: Path) -> None:
    player.play(write(tmp_path / "long.wav", noise(20.0)))
    journal.await_state(PlayerState.PLAYING)
    time.sleep(0.3)
    own_sink.stop()
    assert "gone" in str(journal.await_error().error)


def test_a_card_that_takes_nothing_any_more_is_told(
    own_sink: NullSink, player: Player, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that hangs says nothing; the player notices that no block is asked for."""
    monkeypatch.setattr("distill.playback.player.LOOK_SECONDS", 0.1)
    player.play(write(tmp_path / "long.wav", noise(20.0)))
    journal.await_state(PlayerState.PLAYING)
    until(lambda: player.position_seconds > 0.5)
    monkeypatch.setattr("distill.playback.output_device.STALL_SECONDS", 0.6)
    pid = own_sink._daemon.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        assert "gone" in str(journal.await_error().error)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_device_is_chosen_by_name(null_sink: NullSink, player: Player, journal: Journal, tmp_path: Path) -> None:
    devices = find_outputs(True)
    assert devices
    assert len(set(devices)) == len(devices)
    pulse = next(device for device in devices if device.name == "pulse")
    audio = noise(0.5)
    player.choose_device(pulse)
    hear_whole(player, null_sink, journal, write(tmp_path / "a.wav", audio), audio)
    assert journal[-1].note is None


def test_a_missing_device_is_replaced_and_that_is_said(
    null_sink: NullSink, player: Player, journal: Journal, tmp_path: Path
) -> None:
    audio = noise(0.5)
    player.choose_device(CARD)
    path = write(tmp_path / "a.wav", audio)
    hear_whole(player, null_sink, journal, path, audio)
    told = [status for status in journal if status.state is PlayerState.PLAYING]
    assert "USB Audio is not connected" in str(told[0].note)
    assert told[0].error is None


def test_a_loop_on_a_real_device_has_no_seam(
    null_sink: NullSink, player: Player, journal: Journal, tmp_path: Path
) -> None:
    """A tone of whole periods, then silence: each round is exactly as long as the sound."""
    frames = 12_345
    audio = np.zeros((frames, 1), np.float32)
    audio[:9000] = noise(9000 / 48_000)
    player.is_looping = True
    with null_sink.recording() as take:
        player.play(write(tmp_path / "a.wav", audio))
        journal.await_state(PlayerState.PLAYING)
        time.sleep(1.6)
        assert player.position_seconds <= frames / 48_000
        player.stop()
        journal.await_state(PlayerState.IDLE)
    heard, wanted = take.audio, audio[:9000, 0]
    likeness = np.correlate(heard, wanted, "valid") / float((wanted**2).sum())
    starts = np.flatnonzero(likeness > 0.98)
    assert len(starts) >= 4
    assert set(np.diff(starts)) == {frames}


def test_a_sound_goes_on_when_another_device_is_chosen(fake: Fake, tmp_path: Path) -> None:
    player, outputs, journal = fake
    audio = noise(1.0)
    player.play(write(tmp_path / "a.wav", audio))
    journal.await_state(PlayerState.PLAYING)
    outputs[0].pull(24_000)
    before = len(journal)
    player.choose_device(CARD)
    until(lambda: len(journal) > before)
    assert outputs[0].is_closed
    assert outputs[1].device == CARD
    fade_in = np.linspace(0, 1, 4800)  # over the first block
    np.testing.assert_allclose(outputs[1].pull(4800)[:, 0], fade_in * audio[24_000:28_800, 0], atol=1e-3)
    np.testing.assert_allclose(outputs[1].pull(4800)[:, 0], audio[28_800:33_600, 0], atol=1e-3)


def test_looking_for_devices_interrupts_only_when_it_may(tmp_path: Path) -> None:
    outputs: list[FakeOutput] = []
    looks: list[tuple[bool, bool]] = []
    found: list[tuple[OutputDevice, ...]] = []
    journal = Journal()

    def open_output(fill: Callable[[Floats], bool], on_drained: Callable[[], None], device: object) -> FakeOutput:
        outputs.append(FakeOutput(fill, on_drained, device))
        return outputs[-1]

    def find_devices(is_fresh: bool) -> tuple[OutputDevice, ...]:
        is_open = any(not output.is_closed for output in outputs)
        looks.append((is_fresh, is_open))
        return (CARD,)

    def look(may_interrupt: bool) -> None:
        before = len(found)
        player.look_for_devices(may_interrupt)
        until(lambda: len(found) > before)

    player = Player(journal, open_output, find_devices)  # type: ignore[arg-type]
    player.devices_listener = found.append
    try:
        look(may_interrupt=False)
        player.play(write(tmp_path / "a.wav", noise(1.0)))
        journal.await_state(PlayerState.PLAYING)
        look(may_interrupt=False)
        assert len(outputs) == 1
        look(may_interrupt=True)
        journal.await_state(PlayerState.PLAYING)
        assert len(outputs) == 2
        # PortAudio is started anew only while nothing is open: that would end the stream under the player's feet.
        assert looks == [(True, False), (False, True), (True, False)]
    finally:
        player.close()


def test_no_devices_at_all_is_told(journal: Journal) -> None:
    found: list[tuple[OutputDevice, ...]] = []

    def find_devices(_is_fresh: bool) -> tuple[OutputDevice, ...]:
        raise PlaybackError("No sound can be played: PortAudio is missing.")

    player = Player(journal, find_devices=find_devices)
    player.devices_listener = found.append
    player.look_for_devices()
    try:
        assert "PortAudio is missing" in str(journal.await_error().error)
        assert found == [()]
    finally:
        player.close()
