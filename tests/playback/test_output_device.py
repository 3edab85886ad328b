"""The silence before a sound, on a driver that says how much it holds and on one that does not."""

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from distill.errors import PlaybackError
from distill.playback import output_device as output_module
from distill.playback.output_device import LEAD_MOST_SECONDS, Output, OutputDevice, find_outputs
from tests.playback.listening import Floats

RATE, BLOCK = 48_000, 1024


class _Driver:
    """Stands in for PortAudio, as far as an output asks it."""

    PortAudioError = CallbackStop = RuntimeError
    latency, stopped = 0.2, True

    def query_devices(self, _number: object, kind: str) -> dict[str, Any]:
        return {"max_output_channels": 2, "default_samplerate": RATE}

    def check_output_settings(self, *_: object, **__: object) -> None:
        pass

    def OutputStream(self, **wanted: Any) -> "_Driver":
        self.callback = wanted["callback"]
        return self

    def start(self) -> None:
        pass

    def take(self, held_seconds: float, is_late: bool = False) -> Floats:
        block = np.full((BLOCK, 2), np.nan, np.float32)
        when = SimpleNamespace(currentTime=5.0, outputBufferDacTime=5.0 + held_seconds)
        self.callback(block, BLOCK, when, SimpleNamespace(output_underflow=is_late))
        return block


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> _Driver:
    made = _Driver()
    monkeypatch.setattr(output_module, "_fresh_portaudio", lambda: made)
    return made


def _opened() -> Output:
    def fill(block: Floats) -> bool:
        block.fill(0.5)
        return True

    return Output(fill, lambda: None)


def test_the_sound_waits_until_the_device_holds_enough(driver: _Driver) -> None:
    output = _opened()
    output.start()
    assert [float(driver.take(held).max()) for held in (0.0, 0.05, 0.09, 0.11, 0.06)] == [0, 0, 0, 0.5, 0.5]
    output.start()  # the next sound: silence first again
    assert not driver.take(0.0).any()


def test_the_sound_comes_also_where_the_driver_does_not_say_what_it_holds(driver: _Driver) -> None:
    output = _opened()
    output.start()
    silent = 0
    while not driver.take(0.0).any():
        silent += BLOCK
    assert silent == pytest.approx(LEAD_MOST_SECONDS * RATE, abs=BLOCK)


def test_a_block_too_late_is_a_dropout_in_the_sound_only(driver: _Driver) -> None:
    output = _opened()
    output.start()
    driver.take(0.0, is_late=True)
    assert output.underflows == 0
    driver.take(0.2)
    driver.take(0.0, is_late=True)
    assert output.underflows == 1


class _BrokenList(_Driver):
    """A driver that fails while its devices are listed."""

    def query_hostapis(self) -> list[dict[str, Any]]:
        raise self.PortAudioError("Error querying host API")

    def query_devices(self, _number: object = None, kind: str = "") -> dict[str, Any]:
        raise self.PortAudioError("Error querying device -1")


@pytest.mark.parametrize("device", [None, OutputDevice("USB Audio", "ALSA")])
def test_a_driver_that_fails_while_devices_are_listed_is_one_clear_sentence(
    monkeypatch: pytest.MonkeyPatch, device: OutputDevice | None
) -> None:
    monkeypatch.setattr(output_module, "_fresh_portaudio", _BrokenList)
    with pytest.raises(PlaybackError, match="No sound can be played"):
        Output(lambda _block: False, lambda: None, device)
    with pytest.raises(PlaybackError, match="No sound can be played"):
        find_outputs(True)


def test_opening_a_device_leaves_the_interpreter_as_it_is(driver: _Driver) -> None:
    before = sys.getswitchinterval()
    _opened()
    assert sys.getswitchinterval() == before
