"""A run in a thread of its own."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from distill.errors import ConfigurationError, NotEnoughSoundsError
from distill.events import Event
from distill.runs.run_record import RunRecord
from distill.training import (
    StepMetrics,
    TrainingCompleteEvent,
    TrainingRunner,
    get_adaptive_vqvae_config,
    list_checkpoints,
    train_vqvae,
)
from tests.training.conftest import QUICK, ended, write_sounds

LONG = replace(QUICK, max_epochs=500)


@pytest.fixture
def runner() -> TrainingRunner:
    return TrainingRunner()


def test_before_the_first_run(runner: TrainingRunner) -> None:
    assert not runner.is_running()
    assert runner.wait(0)
    assert runner.result() is None
    assert runner.last_error() is None
    runner.cancel()  # nothing to stop


def test_start_cancel_resume(runner: TrainingRunner, tmp_path: Path) -> None:
    sounds = write_sounds(tmp_path / "sounds", 5)
    first_step, cancelled = threading.Event(), threading.Event()
    events: list[Event] = []

    def emit(event: Event) -> None:
        assert threading.current_thread() is not threading.main_thread()
        events.append(event)
        if isinstance(event, StepMetrics):
            first_step.set()
            assert cancelled.wait(60)  # the run stands still until `cancel` has returned

    runner.cancel()  # of no run: must not stop the next one
    runner.start(LONG, sounds, tmp_path / "run", "cpu", emit)
    assert runner.is_running()
    assert runner.result() is None
    with pytest.raises(RuntimeError, match="running already"):
        runner.start(LONG, sounds, tmp_path / "other", "cpu")
    assert first_step.wait(60)
    assert not runner.wait(0.01)
    runner.cancel()
    cancelled.set()
    assert runner.wait(60)
    assert ended(events).outcome == "stopped"
    result = runner.result()
    assert result is not None
    assert result["outcome"] == "stopped"
    assert runner.last_error() is None

    checkpoint = list_checkpoints(tmp_path / "run" / "checkpoints")[-1]
    shorter = replace(LONG, max_epochs=checkpoint["epoch"] + 1)
    runner.resume(shorter, sounds, tmp_path / "run", "cpu", checkpoint["path"])
    assert runner.wait(60)
    again = runner.result()
    assert again is not None
    assert again["outcome"] == "finished"


def test_an_error_is_kept(runner: TrainingRunner, tmp_path: Path) -> None:
    events: list[Event] = []
    runner.start(QUICK, [], tmp_path / "run", "cpu", events.append)
    assert runner.wait(60)
    assert isinstance(runner.last_error(), NotEnoughSoundsError)
    assert runner.result() is None
    assert isinstance(events[-1], TrainingCompleteEvent)
    runner.start(replace(QUICK, max_epochs=1), write_sounds(tmp_path / "sounds", 4), tmp_path / "good", "cpu")
    assert runner.wait(60)
    assert runner.last_error() is None
    assert runner.result() is not None


def test_a_vqvae_is_trained_as_by_train_vqvae(runner: TrainingRunner, tmp_path: Path) -> None:
    sounds = write_sounds(tmp_path / "sounds", 4)
    config = get_adaptive_vqvae_config(4)
    config.max_epochs, config.num_threads, config.precision = 1, 1, "float32"
    config.regularization.augmentation_expansion = 0
    runner.start_vqvae(config, sounds, tmp_path / "run", "cpu")
    config.max_epochs = 77  # a running run works on its own copy
    assert runner.wait(300)
    result = runner.result()
    assert result is not None
    assert result["final_codebook_health"].keys() == {"level_0", "level_1", "level_2"}
    assert RunRecord.load(tmp_path / "run").config.max_epochs == 1


def test_another_familys_configuration_is_refused_at_once(runner: TrainingRunner, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="start_vqvae takes a VQVAEConfig, not a TrainingConfig"):
        runner.start_vqvae(QUICK, [], tmp_path / "run")  # type: ignore[arg-type]
    assert not runner.is_running()
    with pytest.raises(ConfigurationError, match="train_vqvae takes a VQVAEConfig, not a TrainingConfig"):
        train_vqvae(QUICK, [], tmp_path / "run")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


_SCRIPT = """
import os, signal, sys, threading
from pathlib import Path
from distill.training import StepMetrics, TrainingConfig, TrainingRunner

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
stepped = threading.Event()
runner = TrainingRunner()
config = TrainingConfig(max_epochs=5000, batch_size=4, precision="float32", num_threads=1, latent_dim=16)
files = sorted(Path(sys.argv[1]).glob("*.wav"))
runner.start(config, files, sys.argv[2], "cpu", lambda event: isinstance(event, StepMetrics) and stepped.set())
stepped.wait()
if sys.argv[3] == "interrupt":
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    try:
        runner.wait()
    except KeyboardInterrupt:
        print("interrupted", runner.is_running(), runner.result()["outcome"], runner.last_error())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
@pytest.mark.parametrize("way", ["interrupt", "exit"])
def test_a_script_that_ends_leaves_a_checkpoint(tmp_path: Path, way: str) -> None:
    write_sounds(tmp_path / "sounds", 4)
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(tmp_path / "sounds"), str(tmp_path / "run"), way],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("interrupted False stopped None\n" if way == "interrupt" else "")
    assert "Traceback" not in done.stderr
    record = RunRecord.load(tmp_path / "run")
    assert (record.status, record.error) == ("stopped", None)
    assert list_checkpoints(tmp_path / "run" / "checkpoints")
    assert (tmp_path / "run" / "model.distill").exists()
