"""What is known of a run that was killed: how far its curves go, and from where it continues."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from distill.runs.loaded_run import LoadedRun
from distill.runs.run_history import read_history
from distill.runs.run_record import Interruption, RunRecord
from distill.training import resume_run
from tests.training.conftest import QUICK, write_sounds

#: Epoch and number of the step before which the process is killed, and steps after which no checkpoint is written.
KILLED_AT, LAST_CHECKPOINT = 3, 1

CHILD = f"""
import json, os, signal, sys
from pathlib import Path
from distill.config.factory import config_from_dict
from distill.training import loop, save_progress, train
from tests.support.small_runs import make_small, patch_for_good
make_small(patch_for_good)
save_progress.HISTORY_SECONDS = 0.0
loop.is_save_due = lambda run: run.epoch == 1 and run.step == {LAST_CHECKPOINT}

def agree_or_die(run):
    if run.epoch == 1 and run.step == {KILLED_AT}:
        run.writer.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    return True

loop.is_history_due = agree_or_die
data = json.loads(Path(sys.argv[1]).read_text())
train(config_from_dict(data["config"]), data["sounds"], data["run"], "cpu")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process by a POSIX signal")
def test_a_run_killed_within_an_epoch_knows_where_it_was_saved_and_how_far_it_came(tmp_path: Path) -> None:
    run = tmp_path / "run"
    config = {**QUICK.to_dict(), "max_epochs": 3, "batch_size": 1, "checkpoint_interval": 1}
    sounds = [str(path) for path in write_sounds(tmp_path / "sounds", 7)]
    (tmp_path / "job.json").write_text(json.dumps({"config": config, "sounds": sounds, "run": str(run)}))
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path / "job.json")], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    killed = LoadedRun.read(run)
    steps = killed.history.step_column("total_steps")[-1]
    assert steps > KILLED_AT
    assert killed.was_killed
    (place,) = killed.interruptions
    assert not place.is_resumed
    assert place.kept == pytest.approx(1 + LAST_CHECKPOINT / steps)  # the checkpoint of the unfinished epoch
    assert 1 + (KILLED_AT - 1) / steps <= place.reached <= 1 + KILLED_AT / steps
    assert resume_run(run)["outcome"] == "finished"
    resumed = LoadedRun.read(run)
    assert not resumed.was_killed
    assert resumed.interruptions == [Interruption(place.kept, place.reached)]
    assert read_history(run).position == 3


def test_a_run_that_was_paused_was_not_interrupted(tmp_path: Path) -> None:
    from distill.training import train

    train(QUICK, write_sounds(tmp_path / "sounds", 4), tmp_path / "run", "cpu")
    assert LoadedRun.read(tmp_path / "run").interruptions == []
    assert "interruptions" not in json.loads((tmp_path / "run" / "run.json").read_text())


def test_damaged_interruptions_are_left_out(tmp_path: Path) -> None:
    record = RunRecord(QUICK, [tmp_path / "a.wav"], interruptions=[Interruption(1.0, 2.5)])
    record.save(tmp_path)
    data = json.loads((tmp_path / "run.json").read_text())
    data["interruptions"] += [
        None,
        {},
        {"kept": "x", "reached": 1},
        {"kept": 3, "reached": 2},
        {"kept": -1, "reached": 2},
    ]
    (tmp_path / "run.json").write_text(json.dumps(data))
    assert RunRecord.load(tmp_path).interruptions == [Interruption(1.0, 2.5)]
    data["interruptions"] = 7
    (tmp_path / "run.json").write_text(json.dumps(data))
    assert RunRecord.load(tmp_path).interruptions == []
