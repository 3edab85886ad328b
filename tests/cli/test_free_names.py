"""No two runs have one name, wherever they lie and whenever they begin."""

import os
import subprocess
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

import filelock
import pytest

from distill import paths
from distill.cli import new_run
from distill.cli.app import main
from distill.cli.new_run import NamingTurn, names_in_use
from distill.config.training import TrainingConfig
from distill.errors import Cancelled
from distill.library.model_library import ModelLibrary
from distill.runs.queue import RunQueue
from distill.runs.run_record import RunRecord
from tests.cli.test_train import FakeEngine
from tests.support.models import write_tone_model

#: Trains as the engine does, as far as the folder of the run is concerned, once the others have begun, too.
STARTED = """
import sys, time, types
from pathlib import Path
from distill.config.training import TrainingConfig
from distill.events import PreparationProgress
from distill.runs.folder import RunFolder
from distill.runs.run_record import RunRecord

def train(config, files, folder, device, **rest):
    time.sleep(0.3)  # while torch is imported
    RunFolder(folder, False).close()
    RunRecord(config, files, model_name=rest["model_name"], dataset_name=rest["dataset_name"]).save(folder)
    rest["callback"](PreparationProgress("Reading sounds", 1, 1))
    return {"outcome": "finished", "output_dir": folder}

module = types.ModuleType("distill.training.loop")
module.train = train
sys.modules["distill.training.loop"] = module
from distill.cli.app import main
sys.exit(main(["train", sys.argv[1]]))
"""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake, module = FakeEngine(), types.ModuleType("distill.training.loop")
    module.train = fake.train  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "distill.training.loop", module)
    return fake


def test_runs_that_begin_at_the_same_moment_have_names_and_folders_of_their_own(sounds: Path) -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    started = [
        subprocess.Popen([sys.executable, "-c", STARTED, str(sounds)], env=env, stdout=subprocess.DEVNULL)
        for _ in range(3)
    ]
    assert [process.wait() for process in started] == [0, 0, 0]
    records = [RunRecord.load(folder) for folder in paths.runs_dir().iterdir()]
    assert sorted(record.model_name for record in records) == ["bells", "bells 2", "bells 3"]


def test_a_run_that_lies_elsewhere_is_known_by_its_model(
    engine: FakeEngine, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ModelLibrary(paths.models_dir()).import_file(write_tone_model(tmp_path, 5, 3))
    assert main(["train", str(sounds), "--name", "tones", "--out", str(tmp_path / "out")]) == 0
    assert engine.asked["model_name"] == "tones 2"
    assert "a run or a model called “tones” already; this run is called “tones 2”" in capsys.readouterr().out
    assert main(["queue", "add", str(sounds), "--name", "Tones"]) == 0
    assert [entry.name for entry in RunQueue().read().entries] == ["Tones 2"]


def test_the_own_name_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    RunRecord(TrainingConfig(), [], model_name="bells").save(paths.runs_dir() / "first")
    monkeypatch.chdir(paths.runs_dir())
    assert names_in_use(Path("first")) == set()
    assert names_in_use() == {"bells"}


def test_one_that_hangs_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    paths.data_dir().mkdir(parents=True)
    other = filelock.FileLock(paths.data_dir() / "names.lock")
    turn, stop = NamingTurn(), threading.Event()
    with other:
        monkeypatch.setattr(new_run, "_NAMING_PATIENCE_S", 0.2)
        turn.take(stop)
        stop.set()
        monkeypatch.setattr(new_run, "_NAMING_PATIENCE_S", 60.0)
        before = time.monotonic()
        with pytest.raises(Cancelled):
            turn.take(stop)
        assert time.monotonic() - before < 30
    turn.close()
    assert not other.is_locked


def test_the_turn_ends_with_the_first_event_of_the_run(engine: FakeEngine, sounds: Path) -> None:
    found: list[Any] = []

    def look(_cancel: threading.Event) -> None:
        with filelock.FileLock(paths.data_dir() / "names.lock", timeout=0):
            found.append(True)

    engine.during = look
    assert main(["train", str(sounds)]) == 0
    assert found == [True]
