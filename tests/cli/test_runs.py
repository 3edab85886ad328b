"""The command line with the real engine, in real processes where pipes and signals matter."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distill import paths
from distill.cli.app import main
from distill.config.training import TrainingConfig
from distill.events import EpochMetrics
from distill.runs.folder import RunFolder
from distill.runs.run_record import RunRecord


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "distill", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def read_until(process: "subprocess.Popen[str]", name: str) -> list[dict[str, Any]]:
    """Read events up to the first of a kind."""
    assert process.stdout is not None
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == name:
            return events
    raise AssertionError(f"no {name}; standard error: {process.stderr.read() if process.stderr else ''}")


def test_closed_pipe_is_no_traceback(sounds: Path) -> None:
    process = start("inspect", str(sounds))
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (1, "")


QUICK = ("--preset", "aggressive", "--threads", "1", "--precision", "float32", "--json")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT to send")
def test_ctrl_c_resume_sample_and_reconstruct(sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    (sounds / "empty.wav").touch()
    process = start("train", str(sounds), "--epochs", "5000", "--out", str(run), *QUICK)
    events = read_until(process, "EpochMetrics")
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    events += [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 130, error
    assert [e["outcome"] for e in events if e["event"] == "TrainingCompleteEvent"] == ["stopped"]
    assert events[-1]["event"] == "TrainingCompleteEvent"
    assert any("empty.wav" in e["message"] for e in events if e["event"] == "TrainingNotice")
    assert list(run.glob("checkpoints/*.pt"))
    steps = [(e["epoch"], e["step"]) for e in events if e["event"] == "StepMetrics"]

    assert main(["resume", str(run), "--epochs", str(steps[-1][0] + 2), "--json"]) == 0
    more = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    steps += [(e["epoch"], e["step"]) for e in more if e["event"] == "StepMetrics"]
    assert len(set(steps)) == len(steps)  # nothing was trained twice
    assert steps == sorted(steps)
    assert more[-1]["outcome"] == "finished"

    model = str(run / "model.distill")
    assert main(["sample", model, "--count", "2", "--seed", "3", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [Path(line) for line in printed] == sorted((tmp_path / "new").iterdir())
    for line in printed:
        audio, rate = soundfile.read(line)
        assert (audio.shape, rate) == ((24_000,), 48_000)  # as long as the sounds of the corpus
        assert np.abs(audio).max() > 0

    again = tmp_path / "again.wav"
    assert main(["reconstruct", model, str(sounds / "bell 1.wav"), str(again)]) == 0
    assert soundfile.info(again).frames == 24_000

    assert main(["resume", str(run)]) in (0, 1)  # there is nothing left to do, which is no crash
    assert "Traceback" not in capsys.readouterr().err


_DEAF = """
import time
from distill.process.stop_signals import stop_on_signal
with stop_on_signal("Stopping.") as stop:
    print("ready", flush=True)
    stop.wait(30)
    print("asked", flush=True)
    time.sleep(30)  # what cannot be cancelled
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT to send")
def test_second_ctrl_c_ends_what_does_not_stop() -> None:
    with subprocess.Popen([sys.executable, "-c", _DEAF], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for word in (b"ready\n", b"asked\n"):
            assert process.stdout.readline() == word
            process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == b"\nStopping.\n"


def test_reader_that_leaves_stops_the_training(sounds: Path, tmp_path: Path) -> None:
    process = start("train", str(sounds), "--epochs", "5000", "--out", str(tmp_path / "run"), *QUICK)
    read_until(process, "StepMetrics")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert list((tmp_path / "run").glob("checkpoints/*.pt"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["reconstruct", "{foreign}", "{sound}", "{out}.wav"], "foreign.distill"),
        (["sample", "{foreign}", "--out", "{out}"], "foreign.distill"),
        (["resume", "{folder}"], "not the folder of a run"),
        (["reconstruct", "{foreign}", "{foreign}", "{out}.wav"], "cannot be used"),
    ],
)
def test_what_is_no_model_or_run_is_told_in_one_sentence(
    arguments: list[str], complaint: str, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tmp_path / "foreign.distill"
    foreign.write_bytes(b"not a model at all")
    positions = {"foreign": foreign, "sound": sounds / "bell 1.wav", "out": tmp_path / "out", "folder": sounds}
    assert main([word.format(**positions) for word in arguments]) == 1
    printed = capsys.readouterr()
    assert complaint in printed.err
    assert len(printed.err.splitlines()) == 1
    assert "log" not in printed.err


@pytest.mark.parametrize("out", ["{sound}", "copy.aac"])
def test_reconstruct_refuses_names_that_would_do_harm(out: str, sounds: Path, tmp_path: Path) -> None:
    model, sound = tmp_path / "any.distill", sounds / "bell 1.wav"
    model.touch()
    assert main(["reconstruct", str(model), str(sound), out.format(sound=sound)]) == 2


def test_finishing_a_stopped_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from distill.runs.folder import RunFolder
    from distill.runs.run_record import RunRecord
    from distill.training import EpochMetrics, TrainingConfig

    run = tmp_path / "run"
    folder = RunFolder(run, resuming=False)
    RunRecord(TrainingConfig(max_epochs=9), [], status="stopped").save(run)
    assert main(["finish", str(run)]) == 1
    assert "has not completed an epoch" in capsys.readouterr().err
    folder.append_history([EpochMetrics(0, 9, 0.5, 0.4, 0.4, 0.1, 3.0, 0.1, 1e-3, 1.0, 1.0, 7)])
    folder.model_file.touch()
    assert main(["finish", str(run)]) == 1  # a training is under way in it
    assert "training in" in capsys.readouterr().err
    folder.close()
    assert main(["finish", str(run)]) == 0
    assert "model.distill" in capsys.readouterr().out
    assert (RunRecord.load(run).status, RunRecord.load(run).config.max_epochs) == ("finished", 1)


def test_runs_are_listed_and_shown_with_their_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list"]) == 0
    assert capsys.readouterr().out == "0 runs.\n"
    path = paths.runs_dir() / "bells"
    folder = RunFolder(path, resuming=False)
    RunRecord(TrainingConfig(max_epochs=90), [Path("a.wav")], model_name="Bells", status="finished").save(path)
    losses = [0.9 - 0.05 * n for n in range(8)] + [0.55] * 22
    folder.append_history(
        EpochMetrics(n, 90, 0.5, loss, loss, 0.1, 9.0, 0.1, 1e-3, 1.0, 1.0, 9) for n, loss in enumerate(losses)
    )
    folder.close()
    assert main(["runs", "list"]) == 0
    assert "finished      epoch 30/90       Bells  Mel VAE  held out 0.5500" in capsys.readouterr().out
    assert main(["runs", "show", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Name:     Bells"
    assert lines[-2] == "Best:     epoch 8, loss on held-out sounds 0.5500"
    assert lines[-1] == "Verdict:  Flat since epoch 8: more epochs would change little."
    assert main(["runs", "show", str(path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["verdict"], shown["since_epoch"], shown["best"]) == ("flat", 8, 8)
