"""What a list of runs says of each, and what can be done to a run at rest."""

import json
import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from distill import paths
from distill.errors import RunFolderError
from distill.runs.folder import RunFolder
from distill.runs.record_changes import mark_finished, rename_run
from distill.runs.run_history import read_losses
from distill.runs.run_record import RunRecord
from distill.runs.summary import CURVE_POINTS, EpochSummary, RunSummary, list_runs, summarise
from distill.training import EpochMetrics, StepMetrics, TrainingConfig, VQEpochMetrics, VQVAEConfig


def step(epoch: int, number: int) -> StepMetrics:
    return StepMetrics(epoch, number, 2, 0.5, 0.25, 3.0, 0.001, 1e-3, 0.01)


def epoch_end(epoch: int, loss: float) -> EpochMetrics:
    return EpochMetrics(epoch, 9, 0.5, loss, 0.4, 0.1, 3.0, 0.1, 1e-3, 1.0, 1.0, 7)


def make_run(name: str, status: str = "stopped", losses: tuple[float, ...] = (0.9, 0.3, 0.6), day: int = 1) -> Path:
    path = paths.runs_dir() / name
    folder = RunFolder(path, resuming=False)
    record = RunRecord(
        TrainingConfig(max_epochs=9), [Path("a.wav"), Path("b.wav")], model_name=name.title(), status=status,
        created=f"2026-01-{day:02}T10:00:00+00:00",
    )  # fmt: skip
    record.save(path)
    for number, loss in enumerate(losses):
        folder.append_history([step(number, 0), step(number, 1), epoch_end(number, loss)])
    folder.close()
    return path


def only() -> RunSummary:
    (run,) = list_runs()
    return run


def test_no_folder_of_runs_is_no_runs() -> None:
    assert list_runs() == []


def test_the_newest_comes_first_and_what_is_no_run_is_passed_over() -> None:
    for name, day in (("old", 3), ("new", 9), ("middle", 5)):
        make_run(name, day=day)
    (paths.runs_dir() / "no run").mkdir()
    (paths.runs_dir() / "file").touch()
    assert [run.name for run in list_runs()] == ["New", "Middle", "Old"]


def test_what_it_says_of_a_run() -> None:
    path = make_run("bells")
    run = only()
    assert (run.folder, run.status, run.family, run.sounds, run.epochs_asked) == (path, "paused", "Mel VAE", 2, 9)
    assert run.progress == EpochSummary(3, 0.3, (0.9, 0.3, 0.6), 2)
    assert run.can_resume


def test_epochs_of_every_family_are_read(tmp_path: Path) -> None:
    path = tmp_path / "run"
    folder = RunFolder(path, resuming=False)
    RunRecord(VQVAEConfig(), []).save(path)
    folder.append_history([VQEpochMetrics(0, 9, 0.5, 0.25, 0.4, 0.1, 0.1, 1e-3, 1.0, 1.0)])
    folder.close()
    assert summarise(path).progress.best_loss == 0.25


def test_a_killed_run_is_interrupted_and_one_under_way_is_running() -> None:
    path = make_run("bells", status="running")
    assert only().status == "interrupted"
    assert only().can_resume
    folder = RunFolder(path, resuming=True)
    assert only().status == "running"
    assert not only().can_resume
    folder.close()


def test_looking_keeps_no_training_out() -> None:
    """The list looks at the lock for a moment; a training that begins in that moment waits rather than fails."""
    path = make_run("bells", status="running")
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            list_runs()

    looker = threading.Thread(target=look)
    looker.start()
    try:
        taken = 0
        for _ in range(50):
            folder = RunFolder(path, resuming=True)
            assert only().status == "running"
            folder.close()
            taken += 1
    finally:
        stop.set()
        looker.join()
    assert taken == 50
    assert only().status == "interrupted"


def test_a_damaged_run_is_listed_with_the_reason() -> None:
    path = make_run("bells")
    (path / "run.json").write_text("{")
    run = only()
    assert run.status == "unreadable"
    assert "cannot be read" in run.problem
    assert run.name == "bells"


@pytest.mark.skipif(os.name != "posix", reason="links need a right on Windows")
def test_a_folder_that_cannot_be_looked_into_hides_no_run() -> None:
    """As a link to a drive that is gone; whoever is root may look into all others."""
    make_run("bells")
    (paths.runs_dir() / "linked").symlink_to("x" * 300)
    found = {run.name: run for run in list_runs()}
    assert found["Bells"].status == "paused"
    assert found["linked"].status == "unreadable"
    assert "cannot be read (File name too long)" in found["linked"].problem


@pytest.mark.parametrize("damage", [{"status": []}, {"created": 5}, {"status": "odd"}, {"sounds": None}])
def test_a_damaged_run_hides_no_other(damage: dict[str, object]) -> None:
    path = make_run("bells")
    make_run("kicks", day=2)
    data = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**data, **damage}))
    assert {run.name: run.status for run in list_runs()} == {"bells": "unreadable", "Kicks": "paused"}


def test_what_a_crash_left_in_the_history_is_passed_over() -> None:
    path = make_run("bells")
    with (path / "history.jsonl").open("a") as file:
        file.write('{"event": "EpochMetrics", "epoch": 3, "val_lo')
    assert only().progress.epochs == 3
    with (path / "history.jsonl").open("a") as file:
        file.write("\n" + json.dumps({"event": "EpochMetrics", "val_loss": "nan"}) + "\n")
    assert only().progress.epochs == 4
    assert only().progress.best_loss == 0.3


def test_a_history_is_read_once_and_again_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    from distill.runs import summary

    path = make_run("bells")
    make_run("drums", day=2)
    read: list[str] = []
    real = read_losses

    def reading(history: Path) -> Iterator[float]:
        read.append(history.parent.name)
        return real(history)

    monkeypatch.setattr(summary, "read_losses", reading)
    first = list_runs()
    assert sorted(read) == ["bells", "drums"]
    assert list_runs() == first
    assert len(read) == 2
    folder = RunFolder(path, resuming=True)
    folder.append_history([epoch_end(3, 0.1)])
    folder.close()
    assert {run.name: run.progress.best_loss for run in list_runs()} == {"Bells": 0.1, "Drums": 0.3}
    assert {run.name: run.progress.best_epoch for run in list_runs()} == {"Bells": 4, "Drums": 2}
    assert read[2:] == ["bells"]


@pytest.mark.parametrize("damage", ["", "{", '{"version": 1, "runs": {"x": 3}}', '{"version": 1, "runs": []}'])
def test_what_was_kept_may_be_lost(damage: str) -> None:
    make_run("bells")
    before = list_runs()
    kept = paths.cache_dir() / "runs.json"
    assert kept.is_file()
    kept.write_text(damage)
    assert list_runs() == before


def test_long_curves_are_thinned_out_but_count_in_full() -> None:
    losses = [1 / (n + 1) for n in range(5000)]
    losses[1234] = math.nan
    summary = EpochSummary.of(losses)
    assert summary.epochs == 5000
    assert summary.best_loss == losses[-1]
    assert len(summary.curve) == CURVE_POINTS
    assert (summary.curve[0], summary.curve[-1]) == (losses[0], losses[-1])


def test_a_new_name() -> None:
    path = make_run("bells")
    rename_run(path, "  Little bells ")
    assert only().name == "Little bells"
    assert path.is_dir()
    with pytest.raises(RunFolderError, match="needs a name"):
        rename_run(path, " ")
    folder = RunFolder(path, resuming=True)
    with pytest.raises(RunFolderError, match="training in"):
        rename_run(path, "other")
    folder.close()
    with pytest.raises(RunFolderError, match="not the folder of a run"):
        rename_run(path / "previews", "x")


def test_a_paused_run_is_called_finished() -> None:
    path = make_run("bells")
    assert not mark_finished(path)  # it has no model: there is more to do
    assert RunRecord.load(path).status == "stopped"
    (path / "model.distill").touch()
    assert mark_finished(path)
    record = RunRecord.load(path)
    assert (record.status, record.config.max_epochs) == ("finished", 3)
    assert "3 of 9 epochs" in record.notes[-1]
    assert (only().progress.epochs, only().epochs_asked) == (3, 9)  # the list says the same
    assert mark_finished(path)  # nothing more to do
    assert RunRecord.load(path).notes == record.notes


def test_nothing_is_finished_that_has_no_epoch_or_was_killed() -> None:
    empty = make_run("empty", losses=())
    with pytest.raises(RunFolderError, match="has not completed an epoch"):
        mark_finished(empty)
    with pytest.raises(RunFolderError, match="not the folder of a run"):
        mark_finished(empty / "previews")
    killed = make_run("killed", status="running")
    (killed / "model.distill").touch()  # of an earlier session
    assert not mark_finished(killed)
    assert RunRecord.load(killed).status == "running"


def test_a_record_that_became_unreadable_is_not_said_to_be_unwritable(monkeypatch: pytest.MonkeyPatch) -> None:
    path, load, calls = make_run("bells"), RunRecord.load, list[Path]()

    def sometimes(folder: Path) -> RunRecord:
        calls.append(folder)
        if len(calls) == 2:
            raise RunFolderError("The record is damaged.")
        return load(folder)

    monkeypatch.setattr(RunRecord, "load", sometimes)
    with pytest.raises(RunFolderError, match=r"^The record is damaged\.$"):
        rename_run(path, "Gongs")
