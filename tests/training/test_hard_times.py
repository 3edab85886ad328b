"""Runs on small disks, with files that may not grow, and while their folders are moved and their cache is deleted."""

import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill import paths
from distill.errors import DistillError
from distill.events import UNSAVED, Event
from distill.models import open_model
from distill.runs.run_record import RunRecord
from distill.serialization.checkpoint_reader import read_checkpoint
from distill.training import StepMetrics, list_checkpoints, resume_run, train
from tests.training.conftest import QUICK, ended, write_sounds

pytestmark = [pytest.mark.soak, pytest.mark.skipif(sys.platform != "linux", reason="tmpfs and limits of Linux")]

CONFIG = replace(QUICK, max_epochs=2, preview_interval_short=1)


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    size = f"size={megabytes}m"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def check_end(run: Path, result: dict[str, Any], events: list[Event]) -> None:
    """The run says what is true: finished with a whole model, or not saved, with the model in memory."""
    end = ended(events)
    assert end.outcome == result["outcome"]
    assert not [path for path in run.rglob("*.part") if path.name.startswith(".")]
    for found in list_checkpoints(run / "checkpoints"):
        assert read_checkpoint(found["path"])
    print(end.outcome, end.error, [e.message for e in events if hasattr(e, "message")][-3:])
    if end.outcome == "finished":
        assert open_model(run / "model.distill")
        assert RunRecord.load(run).status == "finished"
    else:
        assert end.outcome == UNSAVED
        assert "could not be saved" in str(end.error)
        assert not (run / "model.distill").exists()
        assert RunRecord.load(run).status in (UNSAVED, "running")  # the record may not fit either


@pytest.mark.parametrize("megabytes", [3, 12, 40])
def test_a_small_disk(tmp_path: Path, megabytes: int) -> None:
    sounds, events = write_sounds(tmp_path / "sounds", 4), list[Event]()
    with disk(tmp_path / "disk", megabytes) as small:
        result = train(CONFIG, sounds, small / "run", "cpu", events.append)
        check_end(small / "run", result, events)
    if result["unsaved_model"] is not None:
        assert open_model(result["unsaved_model"].save(tmp_path / "elsewhere.distill"))


@contextmanager
def largest_file(megabytes: float) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(megabytes * 1e6), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("megabytes", [0.5, 3, 8])
def test_files_that_may_not_grow(tmp_path: Path, megabytes: float) -> None:
    sounds, events = write_sounds(tmp_path / "sounds", 4), list[Event]()
    with largest_file(megabytes):
        result = train(CONFIG, sounds, tmp_path / "run", "cpu", events.append)
    check_end(tmp_path / "run", result, events)


def test_files_that_may_not_grow_as_large_as_a_decoded_sound(tmp_path: Path) -> None:
    """0.8 s of decoded sound are 154 kB: the run does not begin, and says why."""
    sounds, events = write_sounds(tmp_path / "sounds", 4), list[Event]()
    with largest_file(0.1), pytest.raises(DistillError, match="larger than a file may be in the cache folder"):
        train(CONFIG, sounds, tmp_path / "run", "cpu", events.append)
    assert ended(events).outcome == "failed"
    assert not list(paths.cache_dir().rglob("*.part"))
    assert not (tmp_path / "run" / "model.distill").exists()
    assert train(CONFIG, sounds, tmp_path / "run", "cpu")["outcome"] == "finished"


def test_a_folder_that_may_only_be_read_from_the_second_epoch_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a remount: a disk with an open lock cannot really be made read-only, and root may write anywhere."""
    sounds, events = write_sounds(tmp_path / "sounds", 4), list[Event]()
    whole = os.open

    def refuse(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & os.O_CREAT and (tmp_path / "run") in Path(os.fspath(path)).parents:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return whole(path, flags, *rest, **named)

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, StepMetrics) and event.epoch == 1 and event.step == 0:
            monkeypatch.setattr(os, "open", refuse)

    result = train(replace(CONFIG, max_epochs=3), sounds, tmp_path / "run", "cpu", emit)
    monkeypatch.undo()
    assert result["outcome"] == UNSAVED
    assert "Read-only file system" in str(ended(events).error)
    assert "or make it writable" in str(ended(events).error)  # room alone does not help
    assert open_model(result["unsaved_model"].save(tmp_path / "elsewhere.distill"))
    assert resume_run(tmp_path / "run")["outcome"] == "finished"
    assert open_model(tmp_path / "run" / "model.distill")


class Trouble:
    """A callback that does something at ten random steps of a run."""

    def __init__(self, does: Any, steps: int, seed: int) -> None:
        self.events: list[Event] = []
        self._does, self._seen = does, 0
        self._moments = set(random.Random(seed).sample(range(steps), 10))

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, StepMetrics):
            if self._seen in self._moments:
                self._does()
            self._seen += 1


def steps_of(result: dict[str, Any]) -> int:
    count: int = result["metrics_history"].step_count
    return count


@pytest.mark.parametrize("what", ["cache", "sounds", "run"])
def test_a_folder_goes_at_ten_moments(tmp_path: Path, what: str) -> None:
    """The decoded sounds are deleted, the sounds are moved away, the run is moved: no epoch is lost."""
    sounds = write_sounds(tmp_path / "sounds", 4)
    config = replace(CONFIG, max_epochs=8)
    moved: list[Path] = []

    def trouble() -> None:
        if what == "cache":
            shutil.rmtree(paths.cache_dir(), ignore_errors=True)
            return
        place = tmp_path / what
        there = place if place.exists() else moved[-1] if what == "sounds" else None
        if there is not None:
            moved.append(tmp_path / f"{what} {len(moved)}")
            there.rename(moved[-1])

    steps = steps_of(train(replace(config, max_epochs=1), sounds, tmp_path / "measured", "cpu"))
    watch = Trouble(trouble, steps * config.max_epochs, seed=3)
    result = train(config, sounds, tmp_path / "run", "cpu", watch)
    assert result["outcome"] == "finished"
    assert ended(watch.events).total_epochs == 8
    assert open_model(tmp_path / "run" / "model.distill")
    assert RunRecord.load(tmp_path / "run").status == "finished"
    if what == "sounds":  # the run finds them where they are now
        assert resume_run(tmp_path / "run", max_epochs=9, sounds=moved[-1])["outcome"] == "finished"
    if what == "run":  # what was moved first is the run as it was then; later ones hold what was written since
        assert RunRecord.load(moved[0]).status == "running"


def program(tmp_path: Path, *words: str, **limits: int) -> "subprocess.Popen[str]":
    def limit() -> None:
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, name), (value, value))

    return subprocess.Popen(
        [sys.executable, "-m", "distill", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=limit, env=os.environ | {"DISTILL_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def await_epoch(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch "):
            return
    pytest.fail(f"no epoch: {process.stderr.read() if process.stderr else ''}")


@pytest.mark.parametrize("limits", [{"RLIMIT_NOFILE": 64}, {"RLIMIT_AS": 1_500_000_000}])
def test_limits_of_the_process(tmp_path: Path, limits: dict[str, int]) -> None:
    """It goes on, or ends with a true sentence; a checkpoint is not called damaged."""
    write_sounds(tmp_path / "sounds", 6)
    run = tmp_path / "run"
    process = program(tmp_path, "train", str(tmp_path / "sounds"), "--epochs", "2", "--out", str(run), **limits)
    out, err = process.communicate(timeout=600)
    print(limits, process.returncode, out[-500:], err[-500:])
    assert "damaged" not in out + err
    assert "should not" not in err
    if process.returncode == 0:
        assert open_model(run / "model.distill")
    else:
        assert process.returncode == 1
        assert "memory" in err or "Too many open files" in err


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM", "SIGSTOP", "closed pipe"])
def test_signals(tmp_path: Path, name: str) -> None:
    write_sounds(tmp_path / "sounds", 4)
    run = tmp_path / "run"
    epochs = "3" if name == "SIGSTOP" else "500"
    process = program(tmp_path, "train", str(tmp_path / "sounds"), "--epochs", epochs, "--out", str(run))
    await_epoch(process)
    if name == "closed pipe":
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
    elif name == "SIGSTOP":
        for _ in range(5):
            process.send_signal(signal.SIGSTOP)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
            process.send_signal(signal.SIGCONT)
    else:
        process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=600)
    assert "should not" not in err
    if name == "SIGSTOP":
        assert process.returncode == 0
        assert open_model(run / "model.distill")
    else:
        assert process.returncode == 130
        assert RunRecord.load(run).status == "stopped"
        newest = list_checkpoints(run / "checkpoints")[-1]
        assert read_checkpoint(newest["path"])
