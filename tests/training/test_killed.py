"""A run that is killed at any moment between its last step and its exit is completed by resuming it.

What a kill leaves is what lies on disk at that moment.  While one run is trained, all its files are copied before and
after each change of a file from its last step on; then each of these copies is resumed.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.errors import CheckpointError
from distill.events import Event
from distill.library.model_library import ModelLibrary
from distill.models import open_model
from distill.runs.run_history import read_history
from distill.runs.run_record import RunRecord
from distill.training import StepMetrics, TrainingNotice, VQStepMetrics, list_checkpoints, resume_run, train
from tests.training.conftest import ONE_FAMILY_OFTEN, QUICK, MakeConfig, ended, write_sounds
from tests.training.test_resume import losses


class Recorder:
    """Copies a folder whenever one of its files is about to change or has changed; equal copies are kept once.

    Files that are being written have another name until they are whole, and are not looked at by any reader.
    """

    def __init__(self, folder: Path, copies: Path) -> None:
        self.folder, self.copies = folder, copies
        self.recording = False
        self.taken: list[Path] = []
        self._seen: set[frozenset[tuple[str, int, int]]] = set()
        self._lock = threading.Lock()

    def take(self) -> None:
        with self._lock:
            files = [p for p in self.folder.rglob("*") if p.is_file() and p.suffix not in (".lock", ".part")]
            state = frozenset((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files)
            if self.recording and state not in self._seen:
                self._seen.add(state)
                self.taken.append(self.copies / f"{len(self.taken):03d}")
                shutil.copytree(self.folder, self.taken[-1])

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*arguments: Any, **keywords: Any) -> Any:
            self.take()
            result = function(*arguments, **keywords)
            self.take()
            return result

        return recorded


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path / "work", tmp_path / "copies")
    with monkeypatch.context() as patch:
        for owner, name in ((Path, "replace"), (Path, "unlink"), (os, "fsync"), (os, "close")):
            patch.setattr(owner, name, recorder.around(getattr(owner, name)))
        yield recorder


@ONE_FAMILY_OFTEN
def test_killed_at_every_moment_after_the_last_step(
    recorder: Recorder, make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config(max_epochs=2)
    sounds = write_sounds(tmp_path / "sounds", 4)
    run, library = Path("work/run"), Path("work/library")

    def watch(event: Event) -> None:
        if isinstance(event, (StepMetrics, VQStepMetrics)) and event.epoch == 1 and event.step == event.total_steps - 1:
            recorder.recording = True

    whole = train(config, sounds, tmp_path / run, "cpu", watch, models_dir=tmp_path / library, model_name="Bells")
    recorder.take()
    recorder.recording = False
    assert len(recorder.taken) > 10
    completed = 0
    for number, copy in enumerate(recorder.taken):
        folder, models = copy / "run", copy / "library"
        events: list[Event] = []
        if RunRecord.load(folder).status == "finished" and (folder / "model.distill").exists():
            with pytest.raises(CheckpointError, match="Ask for more than that"):
                resume_run(folder, models_dir=models)
        else:
            completed += 1
            result = resume_run(folder, events.append, models_dir=models)
            assert ended(events).outcome == result["outcome"] == "finished", number
            weights = result["model"].state_dict()
            assert all(torch.equal(value, weights[key]) for key, value in whole["model"].state_dict().items())
        assert RunRecord.load(folder).status == "finished"
        assert open_model(folder / "model.distill")
        (entry,) = ModelLibrary(models).list()
        assert entry.problem is None
        measured, expected = ({"metrics_history": read_history(f)} for f in (folder, tmp_path / run))
        assert losses(measured) == losses(expected)
        previews = {p.name for p in (tmp_path / run / "previews").glob("*.wav")}
        assert {p.name for p in (folder / "previews").glob("*.wav")} == previews
        shutil.rmtree(copy)
    assert 0 < completed < len(recorder.taken)


def test_a_run_with_all_epochs_and_no_model_is_completed_and_says_so(tmp_path: Path, make_config: MakeConfig) -> None:
    sounds = write_sounds(tmp_path / "sounds", 4)
    train(make_config(max_epochs=1), sounds, tmp_path / "run", "cpu")
    (tmp_path / "run" / "model.distill").unlink()
    steps = read_history(tmp_path / "run").step_count
    events: list[Event] = []
    assert resume_run(tmp_path / "run", events.append)["outcome"] == "finished"
    assert open_model(tmp_path / "run" / "model.distill")
    assert read_history(tmp_path / "run").step_count == steps  # nothing was trained
    (told,) = [e.message for e in events if isinstance(e, TrainingNotice) and e.topic == "resumed"]
    assert "all epochs are done" in told
    with pytest.raises(CheckpointError, match="has done 1 epochs already"):
        resume_run(tmp_path / "run")


CHILD = """
import os, signal, sys
from pathlib import Path
from distill.config.factory import config_from_dict
from distill.training import train
from distill.training.ending import finalize
from tests.support.small_runs import leave_map_out, make_small, patch_for_good
leave_map_out(patch_for_good)
make_small(patch_for_good)
import json

def kill(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(finalize, sys.argv[2], kill)
data = json.loads(Path(sys.argv[1]).read_text())
train(config_from_dict(data["config"]), data["sounds"], data["run"], "cpu", models_dir=data["library"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process by a POSIX signal")
@pytest.mark.parametrize("moment", ["append_history", "_export", "_save_record", "_complete_event"])
def test_a_process_that_is_killed_while_it_ends(tmp_path: Path, moment: str) -> None:
    import json

    sounds = write_sounds(tmp_path / "sounds", 4)
    run, library = tmp_path / "run", tmp_path / "library"
    config = {**QUICK.to_dict(), "max_epochs": 2}
    arguments = {"config": config, "sounds": [str(s) for s in sounds], "run": str(run), "library": str(library)}
    (tmp_path / "job.json").write_text(json.dumps(arguments))
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path / "job.json"), moment], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert list_checkpoints(run / "checkpoints")[-1]["val_loss"] is not None  # all epochs are done
    if moment == "_complete_event":  # the run had ended: only its last event was missing
        with pytest.raises(CheckpointError, match="Ask for more"):
            resume_run(run, models_dir=library)
    else:
        assert RunRecord.load(run).status == "running"
        assert resume_run(run, models_dir=library)["outcome"] == "finished"
    assert RunRecord.load(run).status == "finished"
    assert open_model(run / "model.distill")
    assert len(ModelLibrary(library).list()) == 1
