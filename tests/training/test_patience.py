"""A run with patience ends as finished when it no longer improves, and is resumed as any other."""

from dataclasses import replace
from pathlib import Path

import pytest

from distill.errors import CheckpointError
from distill.events import Event
from distill.models import open_model
from distill.runs.run_record import RunRecord
from distill.runs.verdict import EARLIEST_END
from distill.training import EpochMetrics, TrainingNotice, list_previews, resume_run
from tests.training.conftest import QUICK, StillRun, ended, topics
from tests.training.test_resume import assert_same_run

#: Learns nothing: the held-out loss stays as it is.
STILL = replace(QUICK, learning_rate=1e-7, max_epochs=20, patience=5, checkpoint_interval=10, kl_warmup_fraction=0.0)


@pytest.fixture(scope="module")
def still(_small_runs: None, tmp_path_factory: pytest.TempPathFactory) -> StillRun:
    return StillRun(STILL, tmp_path_factory.mktemp("still"))


def test_it_ends_as_finished_and_says_why(still: StillRun) -> None:
    assert still.result["outcome"] == ended(still.events).outcome == "finished"
    assert "checkpoint" not in topics(still.events)  # nothing of the model is missing
    epochs = [e for e in still.events if isinstance(e, EpochMetrics)]
    assert len(epochs) == EARLIEST_END
    record = RunRecord.load(still.folder)
    assert (record.status, record.config.max_epochs, record.epochs_asked) == ("finished", EARLIEST_END, 20)
    notices = [e for e in still.events if isinstance(e, TrainingNotice) and e.topic == "finished"]
    assert len(notices) == 1
    best = min(epochs, key=lambda e: e.val_loss).epoch
    for words in (f"{EARLIEST_END} of 20 epochs", "since epoch 1.", f"epoch {best + 1}, the best"):
        assert words in notices[0].message
    assert notices[0].message in record.notes
    assert open_model(still.folder / "model.distill").metadata.training_epochs == best + 1
    assert {p["epoch"] for p in list_previews(still.folder / "previews")} == {0, EARLIEST_END - 1}


def test_stopped_at_its_end_and_resumed_it_is_the_same_run(still: StillRun, tmp_path: Path) -> None:
    part = StillRun(STILL, tmp_path, stop_after=EARLIEST_END - 1)
    assert part.result["outcome"] == "stopped"
    resumed = resume_run(part.folder)
    assert resumed["outcome"] == "finished"
    assert_same_run(still.result, resumed)
    with pytest.raises(CheckpointError, match="epochs already"):
        resume_run(part.folder)


def test_made_longer_it_trains_what_the_user_asks_for(still: StillRun) -> None:
    """Runs last in this file: it changes the run that the others look at."""
    events: list[Event] = []
    wanted = EARLIEST_END + 2
    longer = resume_run(still.folder, events.append, max_epochs=wanted)
    assert longer["outcome"] == "finished"
    assert len(longer["metrics_history"].epochs) == wanted
    record = RunRecord.load(still.folder)
    assert (record.config.patience, record.config.max_epochs, record.planned_epochs) == (0, wanted, None)
