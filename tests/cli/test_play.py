"""``distill play``, by real MIDI bytes from a file and a pipe, heard from a real (virtual) sound card."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from distill.cli.app import main
from distill.process.stop_signals import EXIT_STOPPED
from tests.models.test_fuzz import write_whole_files
from tests.support.processes import start_helper, stop_helper
from tests.support.sound_card import NullSink


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    write_whole_files(folder := tmp_path_factory.mktemp("models"))
    return folder / "vae.distill"


def test_a_file_of_midi_bytes_is_played_and_heard(
    model: Path, null_sink: NullSink, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = tmp_path / "notes.bin"
    notes.write_bytes(bytes([0x90, 36, 127, 0x80, 36, 0, 0x90, 20, 127, 0x90, 51, 100]))
    with null_sink.recording() as take:
        assert main(["play", str(model), "--midi", str(notes), "--seed", "1"]) == 0
    printed = capsys.readouterr().out
    assert "Ready." in printed
    assert "pad 1 127\npad 16 100\n" in printed
    assert np.abs(take.audio).max() > 0.1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in its file system")
def test_a_pipe_is_played_until_it_is_stopped(model: Path, null_sink: NullSink, tmp_path: Path) -> None:
    pipe, out = tmp_path / "midi", tmp_path / "out.txt"
    os.mkfifo(pipe)
    with out.open("wb") as file:
        process = start_helper(
            [sys.executable, "-m", "distill", "play", str(model), "--midi", str(pipe), "--pitches", "--seed", "1"],
            stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **null_sink.environment},
        )  # fmt: skip
    try:
        wait_for(out, "Ready.")
        with pipe.open("wb", buffering=0) as writer:
            writer.write(bytes([0x90, 60, 100, 67, 90, 0xB0, 16, 0]))
            wait_for(out, "key +7 90")
            wait_for(out, "has no map")  # this model was saved by an older version
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == EXIT_STOPPED
    finally:
        stop_helper(process)


def wait_for(out: Path, text: str) -> None:
    deadline = time.monotonic() + 120
    while text not in out.read_text():
        assert time.monotonic() < deadline, out.read_text()
        time.sleep(0.05)


def test_what_cannot_be_played_is_said(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.control.midi_ports.SystemPorts.names", lambda _self: ())
    assert main(["play", str(model), "--midi", "list"]) == 0
    assert capsys.readouterr().err == "There are no MIDI ports.\n"
    assert main(["play", str(model), "--osc", "0"]) == 2
    assert capsys.readouterr().err
