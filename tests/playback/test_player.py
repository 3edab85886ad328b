"""The player, against a real (virtual) sound card and against outputs that fail."""

import importlib
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from distill.errors import PlaybackError
from distill.playback.output_device import Output, OutputDevice, OutputFormat
from distill.playback.player import Player, PlayerState
from distill.playback.tracks import Sound, fitted, load_sound, make_tracks
from distill.process.interpreter import set_switch_interval
from tests.playback.listening import FakeOutput, Floats, Journal, correlations, noise, write
from tests.support.sound_card import NullSink


def test_all_of_a_sound_is_heard_and_its_end_is_told(
    player: Player, null_sink: NullSink, journal: Journal, tmp_path: Path
) -> None:
    audio = noise(1.0)
    path = write(tmp_path / "a.wav", audio)
    with null_sink.recording() as take:
        player.play(path)
        journal.await_state(PlayerState.PLAYING)
        time.sleep(0.5)
        assert 0.2 < player.position_seconds < 0.8
        journal.await_state(PlayerState.IDLE)
    assert min(correlations(take.audio, audio[:, 0])) > 0.99
    assert player.underflows == 0
    assert journal[-1].path == path
    assert journal[-1].error is None


def test_the_end_of_a_sound_that_is_stopped_is_heard_as_a_fade(
    player: Player, null_sink: NullSink, journal: Journal, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.wav", np.full((5 * 48_000, 1), 0.5, dtype=np.float32))
    with null_sink.recording() as take:
        player.play(path)
        journal.await_state(PlayerState.PLAYING)
        time.sleep(0.7)
        player.stop()
        journal.await_state(PlayerState.IDLE)
        time.sleep(1.0)  # what the device has queued
    heard = take.audio[: np.flatnonzero(np.abs(take.audio) > 1e-3)[-1] + 1]
    assert np.abs(heard).max() == pytest.approx(0.5, abs=0.01)
    assert abs(heard[-1]) < 0.05
    assert 0.1 < abs(heard[-120]) < 0.4  # half-way


def test_a_sound_of_another_rate_plays_at_its_own_pitch(
    player: Player, null_sink: NullSink, journal: Journal, tmp_path: Path
) -> None:
    audio = noise(0.6, 44_100)
    path = write(tmp_path / "a.wav", audio, 44_100)
    with null_sink.recording() as take:
        player.play(path)
        journal.await_state(PlayerState.PLAYING)
        journal.await_state(PlayerState.IDLE)
    wanted = soxr.resample(audio[:, 0], 44_100, 48_000).astype(np.float32)
    assert min(correlations(take.audio, wanted)) > 0.99


def test_no_dropout_while_other_threads_hold_the_interpreter(
    player: Player, null_sink: NullSink, journal: Journal, tmp_path: Path
) -> None:
    audio = noise(1.5)
    path = write(tmp_path / "a.wav", audio)
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            sum(i * i for i in range(20_000))

    threads = [threading.Thread(target=work) for _ in range(2)]
    before = sys.getswitchinterval()
    set_switch_interval()  # as the application does
    for thread in threads:
        thread.start()
    try:
        with null_sink.recording() as take:
            player.play(path)
            journal.await_state(PlayerState.PLAYING)
            journal.await_state(PlayerState.IDLE)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(before)
    assert min(correlations(take.audio, audio[:, 0])) > 0.99


def test_a_second_sound_takes_the_place_of_the_first(
    player: Player, null_sink: NullSink, journal: Journal, tmp_path: Path
) -> None:
    first, second = write(tmp_path / "1.wav", noise(5.0)), write(tmp_path / "2.wav", -noise(0.4))
    player.play(first)
    journal.await_state(PlayerState.PLAYING)
    with null_sink.recording() as take:
        player.play(second)
        assert journal.await_state(PlayerState.IDLE).path == second
    assert min(correlations(take.audio, -noise(0.4)[:, 0])) > 0.99


def test_stop_and_seek_and_volume(fake: tuple[Player, list[FakeOutput], Journal], tmp_path: Path) -> None:
    player, outputs, journal = fake
    audio = noise(1.0)
    player.volume = 0.5
    player.play(write(tmp_path / "a.wav", audio))
    journal.await_state(PlayerState.PLAYING)
    player.seek(0.5)
    heard = outputs[0].pull(4800)
    np.testing.assert_allclose(heard[600:, 0], 0.5 * audio[24_600:28_800, 0], atol=1e-3)
    assert player.position_seconds == pytest.approx(0.6)
    player.volume = 0.25
    outputs[0].pull(480)  # on its way there, without a step
    np.testing.assert_allclose(outputs[0].pull(480)[:, 1], 0.25 * audio[29_280:29_760, 0], atol=1e-3)
    player.stop()
    journal.await_state(PlayerState.IDLE)
    assert player.position_seconds == 0.0


def test_a_sound_that_is_stopped_fades_out_before_the_device_stops(
    fake: tuple[Player, list[FakeOutput], Journal], tmp_path: Path
) -> None:
    """What the device has queued is not cut: it goes on until the end of the fade has been heard."""
    player, outputs, journal = fake
    player.play(write(tmp_path / "a.wav", np.full((48_000, 1), 0.5, np.float32)))
    journal.await_state(PlayerState.PLAYING)
    output = outputs[0]
    heard = [output.pull(1024)]
    player.stop()
    journal.await_state(PlayerState.IDLE)
    assert output.is_running, "the device is not cut off"
    heard += [output.pull(1024) for _ in range(2)]
    assert heard[0][-1, 0] == pytest.approx(0.5, abs=1e-3)
    assert np.abs(np.diff(np.concatenate(heard)[:, 0])).max() < 0.01
    assert np.abs(heard[-1]).max() == 0.0


def test_a_sound_that_takes_the_place_of_another_crossfades(
    fake: tuple[Player, list[FakeOutput], Journal], tmp_path: Path
) -> None:
    player, outputs, journal = fake
    second = write(tmp_path / "b.wav", np.zeros((48_000, 1), np.float32))
    player.play(write(tmp_path / "a.wav", np.full((48_000, 1), 0.5, np.float32)))
    journal.await_state(PlayerState.PLAYING)
    heard = [outputs[0].pull(1024)]
    player.play(second)
    journal.await_path(second)
    heard.append(outputs[0].pull(1024))
    assert heard[0][-1, 0] == pytest.approx(0.5, abs=1e-3)
    assert np.abs(np.diff(np.concatenate(heard)[:, 0])).max() < 0.01


def test_the_device_is_opened_on_the_first_click_and_kept(
    fake: tuple[Player, list[FakeOutput], Journal], tmp_path: Path
) -> None:
    player, outputs, journal = fake
    assert outputs == []
    path = write(tmp_path / "a.wav", noise(0.1))
    for _ in range(2):
        player.play(path)
        journal.await_state(PlayerState.PLAYING)
        while outputs[0].is_running:
            outputs[0].pull(4800)
        journal.await_state(PlayerState.IDLE)
    assert len(outputs) == 1
    player.close()
    assert outputs[0].is_closed


def test_no_device_is_a_state_and_the_next_click_tries_again(tmp_path: Path, journal: Journal) -> None:
    tries: list[int] = []

    def open_output(fill: Callable[[Floats], bool], on_drained: Callable[[], None], device: object) -> FakeOutput:
        tries.append(1)
        if len(tries) == 1:
            raise PlaybackError("No sound can be played: no output device answers.")
        return FakeOutput(fill, on_drained)

    player = Player(journal, open_output)  # type: ignore[arg-type]
    path = write(tmp_path / "a.wav", noise(0.1))
    player.play(path)
    assert "no output device" in str(journal.await_state(PlayerState.NO_DEVICE).error)
    player.play(path)
    assert journal.await_state(PlayerState.PLAYING).error is None
    player.close()


def test_a_device_that_comes_later_is_found(
    null_sink: NullSink, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, journal: Journal
) -> None:
    player, path = Player(journal), write(tmp_path / "a.wav", noise(0.1))
    try:
        with monkeypatch.context() as without:
            without.setenv("PULSE_SERVER", f"unix:{tmp_path / 'nowhere'}")
            player.play(path)
            assert "no output device" in str(journal.await_state(PlayerState.NO_DEVICE).error)
        player.play(path)
        journal.await_state(PlayerState.PLAYING)
        journal.await_state(PlayerState.IDLE)
    finally:
        player.close()


def test_a_device_that_goes_away_while_it_plays_is_told(
    fake: tuple[Player, list[FakeOutput], Journal], tmp_path: Path
) -> None:
    player, outputs, journal = fake
    player.play(write(tmp_path / "a.wav", noise(1.0)))
    journal.await_state(PlayerState.PLAYING)
    outputs[0].pull(4800)
    outputs[0].on_drained()  # PortAudio's thread has ended in the middle of the sound
    assert "gone" in str(journal.await_state(PlayerState.NO_DEVICE).error)
    player.close()
    assert outputs[0].is_closed


def test_missing_portaudio_is_one_clear_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, journal: Journal
) -> None:
    def no_library(name: str) -> object:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr(importlib, "import_module", no_library)
    player = Player(journal, Output)
    player.play(write(tmp_path / "a.wav", noise(0.1)))
    assert "PortAudio is missing" in str(journal.await_state(PlayerState.NO_DEVICE).error)
    player.close()


@pytest.mark.parametrize(("content", "word"), [(b"", "decoded"), (b"RIFFxxxx", "decoded"), (None, "not there")])
def test_a_file_that_cannot_be_played_is_told(
    fake: tuple[Player, list[FakeOutput], Journal], content: bytes | None, word: str, tmp_path: Path
) -> None:
    player, _, journal = fake
    path = tmp_path / "bad.wav"
    if content is not None:
        path.write_bytes(content)
    player.play(path)
    assert word in str(journal.await_state(PlayerState.IDLE).error)


@pytest.mark.parametrize("fault", ["open", "start", "listing"])
@pytest.mark.parametrize("error", [PlaybackError("No sound can be played."), RuntimeError("driver")])
def test_the_player_survives_any_error_of_a_driver(
    fault: str, error: Exception, tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every later click works again, a bug is reported, and the device is opened anew."""
    reports: list[BaseException] = []
    monkeypatch.setattr("distill.diagnostics.report", reports.append)
    faults = [fault]

    def fail_once(where: str) -> None:
        if where in faults:
            faults.remove(where)
            raise error

    class Faulty(FakeOutput):
        def start(self) -> None:
            fail_once("start")
            super().start()

    def open_output(fill: Callable[[Floats], bool], on_drained: Callable[[], None], device: object) -> FakeOutput:
        fail_once("open")
        return Faulty(fill, on_drained)

    def find_devices(_is_fresh: bool) -> tuple[OutputDevice, ...]:
        fail_once("listing")
        return ()

    player = Player(journal, open_output, find_devices)  # type: ignore[arg-type]
    path = write(tmp_path / "a.wav", noise(0.1))
    if fault == "listing":
        player.look_for_devices()
    else:
        player.play(path)
    assert journal.await_error().error
    player.play(path)
    assert journal.await_state(PlayerState.PLAYING).error is None
    assert reports == ([] if isinstance(error, PlaybackError) else [error])
    player.close()


def test_a_listener_that_fails_does_not_end_the_player(
    fake: tuple[Player, list[FakeOutput], Journal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, _outputs, journal = fake
    reports: list[BaseException] = []
    monkeypatch.setattr("distill.diagnostics.report", reports.append)

    def fail(_status: object) -> None:
        raise RuntimeError("the window is gone")

    player.listener = fail
    path = write(tmp_path / "a.wav", noise(0.1))
    player.play(path)
    deadline = time.monotonic() + 10
    while len(reports) < 2:  # the status, and the report of the failure
        assert time.monotonic() < deadline
        time.sleep(0.005)
    player.listener = journal
    player.play(path)
    journal.await_state(PlayerState.PLAYING)


def test_calls_from_many_threads_start_one_thread_of_the_player(
    fake: tuple[Player, list[FakeOutput], Journal], tmp_path: Path
) -> None:
    player, _outputs, journal = fake
    paths = [write(tmp_path / f"{n}.wav", noise(0.05)) for n in range(8)]
    barrier = threading.Barrier(len(paths))

    def click(path: Path) -> None:
        barrier.wait()
        player.play(path)

    callers = [threading.Thread(target=click, args=(path,)) for path in paths]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    journal.await_state(PlayerState.PLAYING)
    assert sum(thread.name == "player" for thread in threading.enumerate()) == 1
    last = write(tmp_path / "last.wav", noise(0.05))
    player.play(last)
    journal.await_path(last)


def test_a_player_that_was_closed_beside_a_hanging_device_plays_again(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hanging thread must not take the commands of the next one."""
    monkeypatch.setattr("distill.playback.player.CLOSING_SECONDS", 0.05)
    go_on, outputs = threading.Event(), list[FakeOutput]()

    class Hanging(FakeOutput):
        def close(self) -> None:
            go_on.wait(10)
            super().close()

    def open_output(fill: Callable[[Floats], bool], on_drained: Callable[[], None], device: object) -> FakeOutput:
        outputs.append((FakeOutput if outputs else Hanging)(fill, on_drained))
        return outputs[-1]

    player = Player(journal, open_output)  # type: ignore[arg-type]
    path = write(tmp_path / "a.wav", noise(0.1))
    player.play(path)
    journal.await_state(PlayerState.PLAYING)
    player.close()
    go_on.set()
    other = write(tmp_path / "b.wav", noise(0.1))
    player.play(other)
    journal.await_path(other)
    player.close()
    assert len(outputs) == 2


def test_loading_keeps_two_channels_and_hides_what_is_no_number(tmp_path: Path) -> None:
    audio = noise(0.1, channels=3)
    audio[5:9, 0] = np.nan, np.inf, 3e38, -3e38
    soundfile.write(tmp_path / "a.wav", audio, 48_000, subtype="FLOAT")
    sound = load_sound(tmp_path / "a.wav")
    assert sound.frames.shape == (4800, 2)
    assert not sound.frames[5:9, 0].any()
    np.testing.assert_array_equal(sound.frames[5:9, 1], audio[5:9, 1])
    assert sound.seconds == pytest.approx(0.1)


def test_a_few_samples_at_a_high_rate_are_played(tmp_path: Path) -> None:
    sound = load_sound(write(tmp_path / "a.wav", np.full((3, 1), 0.5, np.float32), 384_000))
    (track,) = make_tracks([sound], OutputFormat(48_000, 2), 0.0)
    block = np.zeros((8, 2), np.float32)
    assert track.read(0, block, True) == 0
    assert np.abs(block - 0.5).max() < 1e-3
    assert track.peaks.max() == pytest.approx(0.5, abs=1e-3)


def test_fitting_to_a_device() -> None:
    stereo = Sound(Path("a"), noise(0.5, channels=2), 48_000)
    mono = fitted(stereo, 44_100, 1)
    assert mono.frames.shape == (22_050, 1)
    assert fitted(mono, 44_100, 2).frames.shape == (22_050, 2)
    np.testing.assert_allclose(fitted(stereo, 48_000, 1).frames[:, 0], stereo.frames.mean(axis=1), atol=1e-6)
