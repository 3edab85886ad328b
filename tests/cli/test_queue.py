"""``distill queue`` and ``distill compare``, with an engine that replays events."""

import errno
import json
import os
import signal
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distill import paths
from distill.audio import sound_scan
from distill.audio.decoding.sound_fix import SoundFix
from distill.cli.app import main
from distill.computing import unresponsive_drives
from distill.errors import TrainingError
from distill.events import UNSAVED
from distill.runs.queue import RunQueue
from tests.cli.test_train import FakeEngine
from tests.runs.test_comparison import write_run
from tests.support.models import write_tone_model


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    module = types.ModuleType("distill.training.loop")
    module.train, module.resume_run = fake.train, fake.resume_run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "distill.training.loop", module)
    return fake


def run(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> str:
    assert main([str(word) for word in words]) == code
    printed = capsys.readouterr()
    return printed.out + printed.err


def statuses() -> list[tuple[str, str]]:
    return [(entry.name, entry.status) for entry in RunQueue().read().entries]


class TestQueue:
    def test_one_that_cannot_be_read_is_no_empty_one(self, sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
        line = RunQueue()
        line.file.parent.mkdir(parents=True, exist_ok=True)
        line.file.write_text("{bad")
        assert "is damaged and cannot be read" in run(capsys, "queue", "list", code=1)
        assert "1 run is waiting" in run(capsys, "queue", "add", sounds)
        assert (line.folder / "queue.damaged.json").read_text() == "{bad"
        assert "1 of 1 run is left to do" in run(capsys, "queue", "list")

    def test_a_run_for_each_family_and_seed(self, sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
        families, seeds = ("--family", "vae", "--family", "vqvae"), ("--seed", 1, "--seed", 2)
        text = run(capsys, "queue", "add", sounds, *families, *seeds, "--epochs", 5)
        assert "4 runs are waiting" in text
        first, *_, last = RunQueue().read().entries
        assert (first.family, first.epochs, first.changes["seed"]) == ("vae", 5, 1)
        assert (last.family, last.changes["seed"], last.name) == ("vqvae", 2, "bells vqvae seed 2")
        run(capsys, "queue", "move", 4, 1)
        run(capsys, "queue", "remove", 2, first.id[:6])  # the same one
        names = [json.loads(line)["name"] for line in run(capsys, "queue", "list", "--json").splitlines()]
        assert names == ["bells vqvae seed 2", "bells vae seed 2", "bells vqvae seed 1"]
        assert "No single run" in run(capsys, "queue", "move", 9, 1, code=2)

    def test_no_two_have_one_name(self, sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for _ in range(2):
            run(capsys, "queue", "add", sounds, "--seed", 1, "--seed", 2)
        run(capsys, "queue", "add", sounds)
        names = [entry.name for entry in RunQueue().read().entries]
        assert names == ["bells seed 1", "bells seed 2", "bells seed 1 2", "bells seed 2 2", "bells"]

    def test_a_wrong_setting_is_told_when_it_is_added(self, sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "device" in run(capsys, "queue", "add", sounds, "--device", "tv", code=2).lower()
        assert statuses() == []

    def test_fixes_and_a_model_go_with_the_run(
        self, engine: FakeEngine, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        t = np.arange(24_000) / 48_000
        late, model = sounds / "late.wav", write_tone_model(tmp_path, 5, 3)
        soundfile.write(late, np.pad(0.5 * np.sin(2 * np.pi * 500 * t) * np.exp(-20 * t), (24_000, 0)), 48_000)
        added = run(capsys, "queue", "add", sounds, "--fix", "silence", "--from", model, "--patience", 7)
        assert "fixed when they are read: 1." in added
        listed = run(capsys, "queue", "list")
        assert "patience 7  sounds fixed: 1  from the model Tones  " in listed
        run(capsys, "queue", "run")
        assert (engine.asked["fixes"], engine.asked["start_from"]) == ({late: SoundFix(trims=True)}, model)
        assert (engine.asked["config"].latent_dim, engine.asked["config"].patience) == (5, 7)
        run(capsys, "queue", "add", sounds, "--from", model)
        model.unlink()
        assert "not where it was" in run(capsys, "queue", "run", code=1)

    @pytest.mark.parametrize(
        ("words", "code", "text"),
        [
            (("--from", "MODEL", "--family", "vae", "--family", "vqvae"), 2, "of the family Mel VAE"),
            (("--from", "MODEL", "--from-epoch", "2"), 2, "is one file"),
            (("--from", "SOUND"), 1, "is not a checkpoint"),
            (("--from", "nowhere.distill"), 2, "nowhere.distill"),
            (("--from-epoch", "2"), 2, "--from-epoch needs --from"),
            (("--fix", "everything"), 2, "everything"),
            (("--patience", "-1"), 2, "'--patience'"),
        ],
    )
    def test_what_train_refuses_is_refused_when_it_is_added(
        self,
        sounds: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        words: tuple[str, ...],
        code: int,
        text: str,
    ) -> None:
        known = {"SOUND": sounds / "bell 1.wav"}
        known |= {"MODEL": write_tone_model(tmp_path, 5, 3)} if "MODEL" in words else {}
        assert text in run(capsys, "queue", "add", sounds, *(known.get(word, word) for word in words), code=code)
        assert statuses() == []

    def test_it_is_worked_off(
        self,
        engine: FakeEngine,
        sounds: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        for name in ("one", "two"):
            run(capsys, "queue", "add", sounds, "--name", name, "--seed", 3)
        run(capsys, "queue", "pause")
        assert "paused" in run(capsys, "queue", "list")
        runner = RunQueue().hold()
        assert "Stop it there first" in run(capsys, "queue", "run", code=1)
        assert RunQueue().read().is_paused, "the other process does not go on"
        runner.close()
        assert "2 runs are finished" in run(capsys, "queue", "run")  # which lifts the pause
        assert statuses() == [("one", "finished"), ("two", "finished")]
        assert engine.asked["config"].seed == 3
        assert engine.asked["model_name"] == "two"
        assert len(engine.asked["files"]) == 4
        run(capsys, "queue", "remove", "--done")
        assert statuses() == []

    def test_a_failed_one_says_why_and_the_next_begins(
        self,
        engine: FakeEngine,
        sounds: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        engine.error = TrainingError("The disk is full.")
        for name in ("one", "two"):
            run(capsys, "queue", "add", sounds, "--name", name)
        text = run(capsys, "queue", "run", code=1)
        assert "one: failed: The disk is full." in text
        assert "2 of 2 runs have failed" in text
        assert "The disk is full." in run(capsys, "queue", "list")

    @pytest.mark.parametrize("is_watched", [True, False])
    def test_a_model_that_could_not_be_saved_is_offered_and_pauses_it(
        self,
        engine: FakeEngine,
        sounds: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        is_watched: bool,
    ) -> None:
        tried: list[Path] = []

        class Model:
            name = "Bells"

            def save(self, target: Path) -> Path:
                tried.append(target)
                if len(tried) < 3:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return target

        def train(config: Any, files: Any, output_dir: Path, device: str, **rest: Any) -> Any:
            result = engine.train(config, files, output_dir, device, **rest)
            return result | {"outcome": UNSAVED, "error": "No room.", "unsaved_model": Model()}

        monkeypatch.setattr(sys.modules["distill.training.loop"], "train", train)
        answers = ["", str(tmp_path / "full"), str(tmp_path)]
        monkeypatch.setattr("builtins.input", lambda _text: answers.pop(0))
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: is_watched))
        for name in ("one", "two"):
            run(capsys, "queue", "add", sounds, "--name", name)
        text = run(capsys, "queue", "run", code=1)
        assert "one: could not be saved: No room." in text
        assert "The queue is paused, and 2 of its runs are left to do" in text
        assert statuses() == [("one", "stopped"), ("two", "waiting")]
        assert "The queue is paused." in run(capsys, "queue", "list")
        if is_watched:
            own = paths.runs_dir() / RunQueue().read().entries[0].run / "model.distill"
            assert tried == [own, tmp_path / "full.distill", tmp_path / "Bells.distill"]
            assert f"Model: {tmp_path / 'Bells.distill'}" in text
        else:
            assert tried == []

    def test_ctrl_c_stops_and_the_next_run_goes_on(
        self,
        engine: FakeEngine,
        sounds: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        for name in ("one", "two"):
            run(capsys, "queue", "add", sounds, "--name", name)
        engine.during = lambda _cancel: signal.raise_signal(signal.SIGINT)
        run(capsys, "queue", "run", code=130)
        assert statuses() == [("one", "stopped"), ("two", "waiting")]
        folder = paths.runs_dir() / RunQueue().read().entries[0].run
        write_run(folder, "vae", [0.5], [])
        record = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps(record | {"status": "stopped"}))
        resumed: list[Any] = []
        engine.during = lambda _cancel: resumed.append(engine.asked.get("run"))
        run(capsys, "queue", "run")
        assert resumed == [folder, None]

    def test_a_folder_that_does_not_answer_is_named(
        self, sounds: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(capsys, "queue", "add", sounds, "--name", "one")
        answers, first = threading.Event(), threading.Lock()

        def wait(_path: Path) -> None:
            if first.acquire(blocking=False):  # headers are read side by side, and a second signal ends the process
                signal.raise_signal(signal.SIGINT)
            answers.wait(100)

        monkeypatch.setattr(sound_scan, "read_header", wait)
        monkeypatch.setattr(unresponsive_drives, "PATIENCE_S", 0.2)
        text = run(capsys, "queue", "run", code=130)
        answers.set()
        assert f"{sounds} does not answer. The run has not begun." in text
        assert statuses() == [("one", "stopped")]
        deadline = time.monotonic() + 60
        while unresponsive_drives.is_left_behind() and time.monotonic() < deadline:
            time.sleep(0.01)


class TestCompare:
    def test_results_and_differences(self, capsys: pytest.CaptureFixture[str]) -> None:
        write_run(paths.runs_dir() / "first", "vae", [0.5, 0.25], [], seed=1)
        other = write_run(paths.runs_dir() / "second", "vqvae", [0.75], [], seed=2)
        lines = run(capsys, "compare", "first", other).splitlines()
        table = {line[:18].strip(): line[18:].split() for line in lines}
        assert table["Best held-out loss"] == ["0.2500", "0.7500"]
        assert table["Seed"] == ["1", "2"]
        assert "compare these by ear" in lines[-1]
        found = json.loads(run(capsys, "compare", "first", "second", "--json"))
        assert [point["loss"] for point in found["runs"][0]["curve"]] == [0.5, 0.25]
        assert {"setting": "Seed", "values": ["1", "2"]} in found["differing"]

    def test_what_cannot_be_compared_is_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "no run 'nothing'" in run(capsys, "compare", "nothing", "nothing", code=2)
        assert "2 to 4" in run(capsys, "compare", tmp_path, code=2)
        assert "not the folder of a run" in run(capsys, "compare", tmp_path, tmp_path, code=1)
