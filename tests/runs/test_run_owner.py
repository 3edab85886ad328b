"""Who trains in a folder, where the lock of another computer cannot be seen."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from distill.config.training import TrainingConfig
from distill.errors import RunFolderError
from distill.runs import run_owner
from distill.runs.folder import RunFolder
from distill.runs.loaded_run import LoadedRun
from distill.runs.run_history import read_growth
from distill.runs.run_owner import HOLDER, host_name, is_locked, read_holder, training_host
from distill.runs.run_record import RunRecord
from distill.runs.summary import summarise
from tests.gui.fakes import epoch_end, step


def leave_sign(run_dir: Path, count: int = 1, ago_seconds: float = 0.0, host: str = "studio") -> None:
    """Leave what another computer leaves that trains in a folder."""
    at = datetime.now(UTC) - timedelta(seconds=ago_seconds)
    (run_dir / HOLDER).write_text(json.dumps({"host": host, "count": count, "at": at.isoformat()}))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that was never ended, with one epoch."""
    folder = RunFolder(tmp_path / "run", resuming=False)
    RunRecord(TrainingConfig(max_epochs=5), [tmp_path / "a.wav"], model_name="bells").save(folder.path)
    folder.append_history([step(0, 0), epoch_end(0, 5)])
    folder.close()
    return folder.path


def test_a_process_leaves_its_computer_in_the_folder_while_it_holds_it(run: Path) -> None:
    folder = RunFolder(run, resuming=True)
    found = read_holder(run)
    assert found is not None
    assert found.is_here
    assert training_host(run) == host_name()
    folder.close()
    assert not (run / HOLDER).exists()
    assert training_host(run) is None


def test_a_run_that_another_computer_trains_is_shown_and_not_resumed(run: Path) -> None:
    leave_sign(run)
    assert training_host(run) == "studio"
    assert is_locked(run)
    found = summarise(run)
    assert (found.status, found.host, found.can_resume) == ("running", "studio", False)
    assert LoadedRun.read(run).host == "studio"
    with pytest.raises(RunFolderError, match="studio is training in"):
        RunFolder(run, resuming=True)


def test_what_a_computer_left_that_died_does_not_hold_the_run_for_ever(run: Path) -> None:
    leave_sign(run, ago_seconds=500)
    assert training_host(run) is None
    assert summarise(run).status == "interrupted"
    leave_sign(run, ago_seconds=500, host=host_name())
    assert training_host(run) is None  # of this computer, whose locks are seen
    RunFolder(run, resuming=True).close()


def test_clocks_that_disagree_do_not_matter_once_the_count_is_seen_to_grow(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_sign(run, count=7, ago_seconds=5000)
    assert training_host(run) is None
    leave_sign(run, count=8, ago_seconds=4980)
    assert training_host(run) == "studio"
    later = time.monotonic() + run_owner.FRESH_SECONDS + 1
    monkeypatch.setattr("distill.runs.run_owner.time.monotonic", lambda: later)
    assert training_host(run) is None


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"host": "x", "count": "y", "at": 3}', '{"host": 1e999}'])
def test_a_damaged_sign_is_none(run: Path, content: str) -> None:
    (run / HOLDER).write_text(content)
    assert read_holder(run) is None
    assert training_host(run) is None


def test_only_whole_new_lines_of_a_growing_history_are_read(run: Path) -> None:
    first = read_growth(run, 0)
    assert [event["event"] for event in first.events] == ["StepMetrics", "EpochMetrics"]
    history = run / "history.jsonl"
    line: dict[str, Any] = {"event": "StepMetrics", "epoch": 1, "step": 0}
    with history.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\nno json\n" + json.dumps(line)[:20])
    second = read_growth(run, first.position)
    assert second.events == (line,)
    assert not second.is_rewritten
    assert history.read_bytes()[second.position :] == json.dumps(line)[:20].encode()
    history.write_text("")
    assert read_growth(run, second.position).is_rewritten
