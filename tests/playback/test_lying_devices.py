"""Fifty devices that vanish, return or lie, at the start and while a sound plays: told, and the next one plays."""

import random
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from distill.errors import PlaybackError
from distill.playback.output_device import OutputDevice, find_outputs
from distill.playback.player import Player, PlayerState
from tests.playback.listening import Journal, noise, write

HONEST = {"name": "Card", "hostapi": 0, "max_output_channels": 2, "default_samplerate": 48_000.0}

#: What a driver may say of its device in place of the truth.
LIES: list[dict[str, Any]] = [
    {"hostapi": 7}, {"hostapi": -9}, {"hostapi": None}, {"max_output_channels": 0}, {"max_output_channels": -1},
    {"max_output_channels": "two"}, {"max_output_channels": None}, {"default_samplerate": float("nan")},
    {"default_samplerate": float("inf")}, {"default_samplerate": 0.0}, {"default_samplerate": None},
    {"name": None}, {"name": "x" * 4000}, {"name": "<img src=x>\x1b[31m\0"}, {"name": ""},
]  # fmt: skip
#: What a device does at a call of PortAudio.
FAULTS = ("open", "start", "query", "initialize", "settings", "memory")
#: What a device does while it plays.
ENDS = ("ends", "hangs", "raises", "odd times", "one channel", "no frames", "many frames", "underflows", "returns")


class PortAudioError(Exception):
    pass


class CallbackStop(Exception):  # noqa: N818 - the name of the module that it stands in for
    pass


class Driver:
    """A stand-in for the module sounddevice."""

    PortAudioError, CallbackStop = PortAudioError, CallbackStop

    def __init__(self, lie: dict[str, Any] | None = None, fault: str = "", end: str = "") -> None:
        self.device, self.fault, self.end = HONEST | (lie or {}), fault, end
        self.heard = 0
        self.threads: list[threading.Thread] = []

    def _fail(self, at: str) -> None:
        if self.fault == at:
            raise PortAudioError(f"cannot {at}", -9999)
        if self.fault == "memory" and at == "open":
            raise OSError(12, "Cannot allocate memory")

    def _initialize(self) -> None:
        self._fail("initialize")

    def _terminate(self) -> None:
        pass

    def query_hostapis(self) -> Any:
        return ({"name": "ALSA"},)

    def query_devices(self, number: Any = None, kind: str | None = None) -> Any:
        self._fail("query")
        return self.device if kind else (self.device,)

    def check_output_settings(self, *_: Any, **__: Any) -> None:
        self._fail("settings")

    def OutputStream(self, **settings: Any) -> Any:
        self._fail("open")
        if not settings["samplerate"] or settings["samplerate"] < 1000:
            raise PortAudioError("Invalid sample rate", -9997)
        return Stream(self, settings)


class Stream:
    """A stream whose thread asks for blocks as fast as it can."""

    latency = 0.0

    def __init__(self, driver: Driver, settings: dict[str, Any]) -> None:
        self._driver, self._settings = driver, settings
        self._goes_on = threading.Event()
        self.stopped = True

    def start(self) -> None:
        self._driver._fail("start")
        self.stopped = False
        self._goes_on.set()
        thread = threading.Thread(target=self._play, name="driver", daemon=True)
        self._driver.threads.append(thread)
        thread.start()

    def stop(self) -> None:
        self._goes_on.clear()
        self.stopped = True

    def abort(self, ignore_errors: bool = True) -> None:
        self.stop()

    def close(self, ignore_errors: bool = True) -> None:
        self.stop()

    def _play(self) -> None:
        end, settings = self._driver.end, self._settings
        for number in range(2000):
            if not self._goes_on.is_set():
                return
            if number == 3 and end in ("ends", "hangs", "raises"):
                if end == "ends":
                    settings["finished_callback"]()
                return
            channels = 1 if end == "one channel" else settings["channels"]
            frames = {"no frames": 0, "many frames": 1 << 17}.get(end, settings["blocksize"])
            odd = float("nan") if end == "odd times" else 0.0
            when = SimpleNamespace(outputBufferDacTime=odd, currentTime=odd)
            status = SimpleNamespace(output_underflow=end == "underflows")
            block = np.zeros((frames, channels), np.float32)
            try:
                settings["callback"](block, frames, when, status)
            except CallbackStop:
                settings["finished_callback"]()
                return
            except Exception:  # as PortAudio: the stream is over
                settings["finished_callback"]()
                return
            self._driver.heard += int(np.count_nonzero(block))
            time.sleep(0.0005)


def cases() -> list[tuple[dict[str, Any], str, str]]:
    """Each lie, fault and end by itself, and more of them together by chance."""
    found: list[tuple[dict[str, Any], str, str]] = [(lie, "", "") for lie in LIES]
    found += [({}, fault, "") for fault in FAULTS]
    found += [({}, "", end) for end in ENDS]
    rng = random.Random(0)
    while len(found) < 50:
        found.append((rng.choice([{}, *LIES]), rng.choice(["", *FAULTS]), rng.choice(["", *ENDS])))
    return found


def is_playing(journal: Journal) -> bool:
    return bool(journal) and journal[-1].state is PlayerState.PLAYING


@pytest.mark.parametrize("number", range(50))
def test_a_device_that_lies_is_told_and_the_next_one_plays(
    number: int, player: Player, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.playback.player.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("distill.playback.output_device.STALL_SECONDS", 0.2)
    driver = Driver(*cases()[number])
    monkeypatch.setitem(sys.modules, "sounddevice", driver)
    path = write(tmp_path / "a.wav", noise(0.2))
    if number % 3 == 0:
        player.choose_device(OutputDevice("Card", "ALSA"))
    with suppress(PlaybackError):
        assert all(isinstance(device.name, str) for device in find_outputs(True))
    player.play(path)
    deadline = time.monotonic() + 30
    while not any(status.error for status in journal) and not (len(journal) > 1 and not is_playing(journal)):
        time.sleep(0.01)  # until it has ended, or its failure was told
        assert time.monotonic() < deadline, list(journal)
        if driver.end == "no frames" and is_playing(journal):
            break  # a device that asks for nothing is no failure until the user stops it
    player.stop()
    honest = Driver()
    monkeypatch.setitem(sys.modules, "sounddevice", honest)
    player.choose_device(None)
    player.look_for_devices(True)
    deadline = time.monotonic() + 30
    while not honest.heard:
        player.play(path)
        time.sleep(0.1)
        assert time.monotonic() < deadline, list(journal)
    player.stop()
    player.close()
    for thread in driver.threads + honest.threads:
        thread.join(10)
        assert not thread.is_alive()
