"""MIDI bytes and OSC packets, from the port to what they play."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from distill.control import midi_ports as ports_module
from distill.control.midi_messages import CONTROL, NOTE_OFF, NOTE_ON, MidiMessage, MidiParser, note_name
from distill.control.midi_ports import ByteStream, PortWatcher, SystemPorts
from distill.control.osc import OscInput, OscOutput, take_osc
from distill.control.pads_keys_and_knobs import Controls
from distill.errors import MidiError
from tests.control.fakes import FakePorts, Played


def wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_messages_are_read_from_bytes() -> None:
    data = bytes.fromhex(
        "90 3c 64 f8 3c 00"  # note on; a clock; running status: note off
        "f0 7e 90 3c f7 40"  # system exclusive with what looks like a note; then data of nobody
        "b2 10 f8 7f c0 05 e1 00 40"  # controller with a clock in it; program; pitch wheel
        "f2 01 02 3c 64"  # song position ends the running status
        "89 3c 40 90"  # note off on channel 10; the beginning of a note
    )
    wanted = [
        MidiMessage(NOTE_ON, 0, 60, 100), MidiMessage(NOTE_OFF, 0, 60, 0), MidiMessage(CONTROL, 2, 16, 127),
        MidiMessage(0xC0, 0, 5, 0), MidiMessage(0xE0, 1, 0, 64), MidiMessage(NOTE_OFF, 9, 60, 64),
    ]  # fmt: skip
    assert MidiParser().feed(data) == wanted
    parser = MidiParser()
    assert [message for byte in data for message in parser.feed(bytes([byte]))] == wanted
    assert parser.feed(b"\x30\x01") == [MidiMessage(NOTE_ON, 0, 48, 1)]
    assert (note_name(60), note_name(36), note_name(37)) == ("C4", "C2", "C#2")


def test_any_bytes_are_read() -> None:
    data = np.random.default_rng(0).integers(0, 256, 20_000, dtype=np.uint8).tobytes()
    played = Played()
    controls = Controls(played)
    for message in MidiParser().feed(data):
        assert 0 <= message.number <= 127
        assert 0 <= message.value <= 127
        controls.take_midi(message)
    assert played


def test_notes_play_pads_or_one_sound_at_its_pitches() -> None:
    played = Played()
    controls = Controls(played)
    feed(controls, "90 24 7f 24 00 33 01 34 40 23 40")
    assert played == [("strike_pad", 0, 127), ("release_pad", 0), ("strike_pad", 15, 1)]
    played.clear()
    controls.plays_pitches = True
    feed(controls, "90 3c 64 48 64 80 3c 40 b0 7b 00")
    assert played == [("strike_key", 0, 100), ("strike_key", 12, 100), ("release_key", 0), ("stop_all",)]


def test_the_sustain_pedal_holds_notes() -> None:
    played = Played()
    controls = Controls(played)
    controls.plays_pitches = True
    feed(controls, "90 3c 64 b0 40 7f 80 3c 00 90 48 64 80 48 00 91 30 64 81 30 00")
    assert played == [("strike_key", 0, 100), ("strike_key", 12, 100), ("strike_key", -12, 100), ("release_key", -12)]
    played.clear()
    feed(controls, "90 48 64 b0 40 3f 80 48 00")  # struck again, so that it is ended by its own key
    assert played == [("strike_key", 12, 100), ("release_key", 0), ("release_key", 12)]
    for lifts, ended in (("b0 79 00", ("release_key", 0)), ("b0 7b 00", ("stop_all",))):
        played.clear()
        feed(controls, f"b0 40 7f 90 3c 64 80 3c 00 {lifts} b0 40 00")
        assert played == [("strike_key", 0, 100), ended]
    feed(controls, "b0 40 7f")
    controls.learn("x")
    played.clear()
    feed(controls, "b0 40 7f 90 3c 64 80 3c 00")
    assert played == [("move_point", 1.0, None), ("strike_key", 0, 100), ("release_key", 0)], "a knob now"


def test_controllers_move_the_point_and_the_sliders_and_are_learned() -> None:
    played = Played()
    controls = Controls(played)
    controls.sliders = ("brightness", "attack")
    feed(controls, "b0 10 7f 11 00 12 40 13 00 14 00")
    assert played == [
        ("move_point", 1.0, None), ("move_point", None, 0.0), ("move_slider", "brightness", 0.0),
        ("move_slider", "attack", -1.0),
    ]  # fmt: skip
    learned: list[tuple[int, str]] = []
    controls.on_learned = lambda *values: learned.append(values)
    controls.learn("x")
    played.clear()
    feed(controls, "b0 4a 7f 10 7f")
    assert learned == [(0x4A, "x")]
    assert played == [("move_point", 1.0, None)], "the controller of before moves nothing now"
    assert controls.controller_of("x") == 0x4A
    again = Controls(Played())
    again.restore({**controls.to_dict(), "200": "x", "nine": "x", "9": 5})
    assert again.to_dict() == {"74": "x"}


@pytest.mark.parametrize("number", range(120, 128))
def test_channel_mode_messages_are_not_learned(number: int) -> None:
    """They come from a panic button or a sequencer that stops, not from a knob, and no restart would keep them."""
    played = Played()
    controls, learned = Controls(played), list[tuple[int, str]]()
    controls.on_learned = lambda *values: learned.append(values)
    controls.learn("x")
    feed(controls, f"b0 {number:02x} 00")
    assert learned == []
    assert played == ([("stop_all",)] if number in (120, 123) else [])
    played.clear()
    feed(controls, "b0 77 7f")  # the highest number that a knob may have
    assert learned == [(119, "x")]
    assert played == [("move_point", 1.0, None)]
    again = Controls(Played())
    again.restore(controls.to_dict())
    assert again.controller_of("x") == 119


def feed(controls: Controls, text: str) -> None:
    for message in MidiParser().feed(bytes.fromhex(text)):
        controls.take_midi(message)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in its file system")
def test_a_pipe_is_played_by_one_program_after_another(tmp_path: Path) -> None:
    pipe, played = tmp_path / "midi", list[MidiMessage]()
    os.mkfifo(pipe)
    stream = ByteStream(pipe, played.append)
    for velocity in (10, 20):
        with pipe.open("wb", buffering=0) as writer:
            writer.write(bytes([0x90, 60]))
            time.sleep(0.02)
            writer.write(bytes([velocity]))
        wait(lambda: played)
        assert played.pop() == MidiMessage(NOTE_ON, 0, 60, velocity)
    assert not stream.ended.is_set()
    stream.close()
    assert stream.ended.is_set()


def test_a_file_is_played_to_its_end(tmp_path: Path) -> None:
    file, played = tmp_path / "notes.bin", list[MidiMessage]()
    file.write_bytes(bytes([0x90, 60, 100, 61, 100]))
    stream = ByteStream(file, played.append)
    assert stream.ended.wait(30)
    assert [message.number for message in played] == [60, 61]
    stream.close()
    with pytest.raises(MidiError, match="cannot be read"):
        ByteStream(tmp_path / "missing", played.append)


def test_ports_are_opened_as_they_come_and_closed_as_they_go() -> None:
    ports, states, played = FakePorts("one"), [], Played()
    controls = Controls(played)
    watcher = PortWatcher(controls.take_midi, lambda *state: states.append(state), ports, 0.01)
    watcher.want("")
    wait(lambda: states == [(("one",), ("one",))])
    ports.connected.append("two")
    wait(lambda: states[-1] == (("one", "two"), ("one", "two")))
    ports.send("two", bytes([0x90, 36, 127]))
    assert played == [("strike_pad", 0, 127)]
    ports.connected.remove("one")
    wait(lambda: states[-1] == (("two",), ("two",)))
    watcher.want("one")
    wait(lambda: states[-1] == (("two",), ()))
    ports.busy.add("one")
    ports.connected.append("one")
    wait(lambda: states[-1] == (("two", "one"), ()))
    ports.busy.clear()
    wait(lambda: states[-1] == (("two", "one"), ("one",)))
    watcher.want(None)
    wait(lambda: states[-1] == (("two", "one"), ()))
    watcher.want("one")
    wait(lambda: ports.opened)
    watcher.close()
    assert ports.opened == {}


def test_a_port_that_was_pulled_and_put_back_between_two_looks_is_opened_again() -> None:
    ports, states, played = FakePorts("one"), [], Played()
    watcher = PortWatcher(Controls(played).take_midi, lambda *state: states.append(state), ports, 0.01)
    watcher.want("")
    wait(lambda: states == [(("one",), ("one",))])
    before = ports.opened["one"]
    ports.changes += 1
    wait(lambda: len(states) == 2)
    assert ports.opened["one"] is not before
    assert states == [(("one",), ("one",))] * 2, "pedals that were held are lifted"
    watcher.close()


class Rtmidi:
    """Stands in for the module: its ports, by number, and those that are open."""

    def __init__(self, *names: str) -> None:
        self.listed, self.opened = list(names), list[int]()

    def get_in_ports(self) -> list[str]:
        return list(self.listed)

    def MidiIn(self, _client: str) -> SimpleNamespace:
        return SimpleNamespace(ports=list(self.listed), open_port=self.opened.append, close_port=self.opened.clear)


@pytest.fixture
def rtmidi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Rtmidi:
    found = Rtmidi("Keys", "Pads", "Keys")
    monkeypatch.setattr(ports_module, "_rtmidi", lambda: found)
    monkeypatch.setattr(ports_module, "_LINUX_DEVICES", tmp_path)
    return found


def test_of_two_ports_with_one_name_each_can_be_opened(rtmidi: Rtmidi) -> None:
    """The second one was shown, and the first one was opened in its place."""
    ports = SystemPorts()
    assert ports.names() == ["Keys", "Pads", "Keys (2)"]
    for name in ports.names():
        ports.open(name, lambda _message: None)
    assert rtmidi.opened == [0, 1, 2]
    rtmidi.listed.append("Keys (2)")
    assert ports.names() == ["Keys", "Pads", "Keys (3)", "Keys (2)"]


def test_a_pulled_device_is_noticed_also_where_the_names_stay_the_same(rtmidi: Rtmidi, tmp_path: Path) -> None:
    ports = SystemPorts()
    known = [ports.look()[1]]
    assert ports.look()[1] == known[0]
    os.utime(tmp_path, ns=(1, 1))  # as a device file that is removed and made again does
    known.append(ports.look()[1])
    rtmidi.listed.remove("Keys")  # "Keys (2)" is "Keys" from now on
    known.append(ports.look()[1])
    assert len(set(known)) == 3


def test_a_system_without_midi_has_no_ports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ports_module, "_LINUX_SEQUENCER", tmp_path / "missing")
    monkeypatch.setattr(sys, "platform", "linux")
    assert SystemPorts().names() == []
    with pytest.raises(MidiError, match="no MIDI sequencer"):
        SystemPorts().open("x", lambda _message: None)
    monkeypatch.setattr(ports_module, "_LINUX_SEQUENCER", tmp_path)
    monkeypatch.setitem(sys.modules, "rtmidi2", None)
    assert SystemPorts().names() == []


def test_a_midi_service_that_fails_between_two_questions_is_no_end_of_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked twice for its ports; an error of the second time ended the thread that looks for them."""

    def refuse() -> list[str]:
        raise RuntimeError("error creating ALSA sequencer client object")

    monkeypatch.setattr(ports_module, "_rtmidi", lambda: SimpleNamespace(get_in_ports=refuse))
    assert SystemPorts().names() == []


_LOOK = """
import os
from pathlib import Path
from distill.control import midi_ports
midi_ports._LINUX_SEQUENCER = Path("/")
midi_ports.SystemPorts().names()
print("variable", os.environ.get("ALSA_PLUGIN_DIR"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ALSA")
def test_the_plugins_of_the_system_are_found(tmp_path: Path) -> None:
    """ALSA's settings name a plug-in as Debian's do; without it the sequencer is not even asked for."""
    pytest.importorskip("rtmidi2")
    plugins = next((Path(place) for place in ports_module._ALSA_PLUGINS if Path(place).is_dir()), None)
    if plugins is None or not (plugins / "libasound_module_conf_pulse.so").exists():
        pytest.skip("ALSA's plug-in for PulseAudio is not installed (Debian package libasound2-plugins)")
    settings = tmp_path / "asound.conf"
    hook = 'hook_func.load { lib "libasound_module_conf_pulse.so" func "conf_pulse_hook_load_if_running" }'
    settings.write_text(
        f'{hook}\n@hooks [ {{ func load files [ "/nothing.conf" ] errors false }} ]\nseq.default {{ type hw }}\n'
    )
    environment = {**os.environ, "ALSA_CONFIG_PATH": str(settings)}
    environment.pop("ALSA_PLUGIN_DIR", None)
    command = [sys.executable, "-c", _LOOK]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert "variable None" in done.stdout, done.stderr
    assert "Cannot open shared library" not in done.stderr
    assert "Unknown SEQ" not in done.stderr


def test_osc_in_and_out() -> None:
    pytest.importorskip("pythonosc")
    played, arrived = Played(), threading.Semaphore(0)
    controls = Controls(played)
    controls.sliders = ("brightness",)

    def receive(address: str, values: Sequence[object]) -> None:
        take_osc(controls, address, values)
        arrived.release()

    server = OscInput(receive, 0)
    output = OscOutput(server.port)
    try:
        with pytest.raises(MidiError, match="in use"):
            OscInput(receive, server.port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
            raw.sendto(b"\xff" * 40, ("127.0.0.1", server.port))  # not OSC
        sent = [
            ("/distill/pad/1", 1.0), ("/distill/pad/16", 0), ("/distill/note", 37, 0.5), ("/distill/point", 0.25, 2.0),
            ("/distill/slider/brightness", -0.5), ("/distill/stop",), ("/distill/pad/17", 1.0), ("/distill/pad/x", 1),
            ("/distill/slider/none", 1.0), ("/distill/point", float("nan"), 0.0), ("/other", 1.0),
        ]  # fmt: skip
        for address, *values in sent:
            output.send(str(address), *[float(value) for value in values])
            assert arrived.acquire(timeout=30)
    finally:
        output.close()
        server.close()
    assert played == [
        ("strike_pad", 0, 127), ("release_pad", 15), ("strike_pad", 1, 64), ("move_point", 0.25, 1.0),
        ("move_slider", "brightness", -0.5), ("stop_all",),
    ]  # fmt: skip
