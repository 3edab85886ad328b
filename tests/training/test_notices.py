"""What the user should know goes to the standard logging, too: a script without a callback sees it."""

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from distill.errors import NotEnoughSoundsError, RunFolderError
from distill.events import Event
from distill.runs.run_record import RunRecord
from distill.runs.verdict import Kind, Verdict
from distill.training import StepMetrics, TrainingNotice, list_checkpoints, resume_run, train
from distill.training import compute_plan as compute_plan_module
from distill.training.compute_plan import ComputePlan, computing
from tests.training.conftest import QUICK, write_sounds


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name.startswith("distill.training") and r.levelno == level]


def test_warnings_and_the_summary_of_a_resume(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "distill.training")
    sounds = write_sounds(tmp_path / "sounds", 6)
    steps, cancel = 0, threading.Event()

    def stop(event: Event) -> None:
        nonlocal steps
        if isinstance(event, StepMetrics):
            steps += 1
            if steps == 5 * event.total_steps - 1:  # in the fifth epoch
                cancel.set()

    config = replace(QUICK, batch_size=2, max_epochs=6)
    by_heart, improving = Verdict(Kind.BY_HEART, 0), Verdict(Kind.IMPROVING)
    monkeypatch.setattr("distill.training.loop.judge", lambda e, _warm_up: by_heart if len(e) > 3 else improving)
    part = train(config, sounds, tmp_path / "run", "cpu", stop, cancel)["metrics_history"]
    assert sum("Overfitting" in m for m in messages(caplog, logging.WARNING)) == 1
    newest = list_checkpoints(tmp_path / "run" / "checkpoints")[-1]["path"]
    per_epoch, taken = part.step_column("total_steps")[0], part.step_count
    caplog.clear()
    resume_run(tmp_path / "run")
    (summary,) = [m for m in messages(caplog, logging.INFO) if m.startswith("Resumed")]
    epochs = len(part.epochs)
    rest = taken - epochs * per_epoch
    expected = f"Resumed from {newest.name}: {epochs} of 6 epochs are done"
    assert not any("Overfitting" in m for m in messages(caplog, logging.WARNING))  # it was reported before
    assert summary == expected + (f", and {rest} of {per_epoch} steps of epoch {epochs + 1}." if rest else ".")


def test_the_summary_of_a_run_stopped_after_the_last_step_of_an_epoch(tmp_path: Path) -> None:
    sounds = write_sounds(tmp_path / "sounds", 4)
    cancel, events = threading.Event(), []  # type: ignore[var-annotated]

    def stop(event: Event) -> None:
        if isinstance(event, StepMetrics) and event.step == event.total_steps - 1:
            cancel.set()

    train(QUICK, sounds, tmp_path / "run", "cpu", stop, cancel)
    resume_run(tmp_path / "run", events.append)
    (summary,) = [e.message for e in events if isinstance(e, TrainingNotice) and e.topic == "resumed"]
    total = next(e.total_steps for e in events if isinstance(e, StepMetrics))
    assert f"0 of 3 epochs are done, and {total} of {total} steps of epoch 1" in summary


def test_a_failed_run_leaves_its_traceback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(NotEnoughSoundsError):
        train(QUICK, [], tmp_path / "run", "cpu")
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.name.startswith("distill.training")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], NotEnoughSoundsError)
    assert "failed" in record.getMessage()


def test_damaged_checkpoints_are_reported_without_a_callback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sounds = write_sounds(tmp_path / "sounds", 4)
    train(QUICK, sounds, tmp_path / "run", "cpu")
    newest = list_checkpoints(tmp_path / "run" / "checkpoints")[-1]["path"]
    newest.write_bytes(newest.read_bytes()[:5000])
    caplog.clear()
    resume_run(tmp_path / "run")
    assert any(newest.name in m for m in messages(caplog, logging.WARNING))
    assert any(newest.name in note for note in RunRecord.load(tmp_path / "run").notes)


@pytest.mark.parametrize("inside", [".", "run", "deep/run"])
def test_a_run_does_not_go_into_the_folder_of_its_sounds(tmp_path: Path, inside: str) -> None:
    sounds = write_sounds(tmp_path / "sounds", 4)
    before = sorted((tmp_path / "sounds").rglob("*"))
    with pytest.raises(RunFolderError, match="inside the folder of sounds"):
        train(QUICK, sounds, tmp_path / "sounds" / inside, "cpu")
    assert sorted((tmp_path / "sounds").rglob("*")) == before


class TestHowAResumedRunComputes:
    @pytest.mark.parametrize(
        ("changes", "name"), [({"precision": "bfloat16"}, "bfloat16"), ({"num_threads": 2}, "2 threads")]
    )
    def test_a_changed_setting_is_applied_and_recorded(self, tmp_path: Path, changes: Any, name: str) -> None:
        sounds = write_sounds(tmp_path / "sounds", 4)
        train(replace(QUICK, max_epochs=1), sounds, tmp_path / "run", "cpu")
        checkpoint = list_checkpoints(tmp_path / "run" / "checkpoints")[-1]["path"]
        used: set[tuple[str, int]] = set()
        autocast = ComputePlan.autocast

        def noting(self: ComputePlan, device: torch.device) -> torch.autocast:
            used.add((self.precision, torch.get_num_threads()))
            return autocast(self, device)

        longer = replace(QUICK, max_epochs=2, **changes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ComputePlan, "autocast", noting)
            train(longer, sounds, tmp_path / "run", "cpu", resume_checkpoint=checkpoint)
        record = RunRecord.load(tmp_path / "run")
        assert used == {(record.speed["precision"], record.speed["num_threads"])}
        assert used == {(changes.get("precision", "float32"), changes.get("num_threads", 1))}
        assert name in record.speed["why"]
        assert "as the settings of the resumed run say" in record.speed["why"]

    def test_a_cuda_run_has_tf32_in_each_session_and_leaves_the_process_as_it_was(self) -> None:
        before = torch.get_float32_matmul_precision()
        with computing(torch.device("cuda"), 1):
            assert torch.get_float32_matmul_precision() == "high"
        assert torch.get_float32_matmul_precision() == before
        with computing(torch.device("cpu"), 1):
            assert torch.get_float32_matmul_precision() == before

    def test_every_session_computes_inside_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from distill.training import loop

        sessions = []
        real = compute_plan_module.computing

        def noting(device: torch.device, threads: Any) -> Any:
            sessions.append(device.type)
            return real(device, threads)

        monkeypatch.setattr(loop, "computing", noting)
        sounds = write_sounds(tmp_path / "sounds", 4)
        train(replace(QUICK, max_epochs=1), sounds, tmp_path / "run", "cpu")
        resume_run(tmp_path / "run", max_epochs=2)
        assert sessions == ["cpu"] * 4  # preparing and training, twice


def test_damage_that_was_stepped_over_is_told_and_recorded(tmp_path: Path) -> None:
    sounds = write_sounds(tmp_path / "sounds", 3)
    torn = tmp_path / "sounds" / "torn.flac"
    soundfile.write(torn, np.random.default_rng(0).uniform(-0.5, 0.5, 48_000), 48_000)
    data = bytearray(torn.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 100] = bytes(100)
    torn.write_bytes(data)
    told: list[str] = []
    cancel = threading.Event()

    def listen(event: Event) -> None:
        if isinstance(event, TrainingNotice) and event.topic == "sounds":
            told.append(event.message)
            cancel.set()  # nothing that comes later is looked at

    train(QUICK, [*sounds, torn], tmp_path / "run", "cpu", listen, cancel)
    assert told[0].startswith("torn.flac: it is damaged: 0.")
    assert told[0].endswith(" s of it were replaced by silence.")
    assert told[0] in RunRecord.load(tmp_path / "run").notes
