"""What has grown in the folder of a run that another process trains."""

import json
from pathlib import Path

import pytest

from distill.config.training import TrainingConfig
from distill.events import event_to_dict
from distill.runs import run_history
from distill.runs.loaded_run import LoadedRun
from distill.runs.run_history import HISTORY, read_growth
from distill.runs.run_record import RunRecord
from tests.runs.test_summary import epoch_end


def test_new_lines_are_read_once_and_whole(tmp_path: Path) -> None:
    history = tmp_path / HISTORY
    assert read_growth(tmp_path, 0).events == ()
    first, second = (json.dumps({"event": "StepMetrics", "step": n}) + "\n" for n in (0, 1))
    history.write_text(first + second[:9])
    found = read_growth(tmp_path, 0)
    assert [event["step"] for event in found.events] == [0]
    assert found.position == len(first)
    history.write_text(first + second)
    again = read_growth(tmp_path, found.position)
    assert [event["step"] for event in again.events] == [1]
    history.write_text(first)
    assert read_growth(tmp_path, again.position).is_rewritten


def test_a_run_that_is_opened_within_a_line_goes_on_with_that_line(tmp_path: Path) -> None:
    """As on a network disk, which shows the first part of what another computer writes."""
    RunRecord(TrainingConfig(), []).save(tmp_path)
    history = tmp_path / HISTORY
    assert LoadedRun.read(tmp_path).history_bytes == 0
    lines = [json.dumps(event_to_dict(epoch_end(number, 0.5))) + "\n" for number in range(3)]
    history.write_text(lines[0] + lines[1][:40])
    run = LoadedRun.read(tmp_path)
    assert [epoch.epoch for epoch in run.history.epochs] == [0]
    history.write_text("".join(lines))
    assert [event["epoch"] for event in read_growth(tmp_path, run.history_bytes).events] == [1, 2]
    assert LoadedRun.read(tmp_path).history_bytes == history.stat().st_size


@pytest.mark.parametrize("damage", [b"\0" * 5000, b"x" * 300 + b"\n", b"[1]\n" * 100, b"\xff\xfe\n" * 50])
def test_damage_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes) -> None:
    """A stretch without a line end used to be read again and again, and nothing behind it."""
    monkeypatch.setattr(run_history, "_MOST_NEW_BYTES", 1000)
    line = json.dumps({"event": "StepMetrics", "step": 7}).encode() + b"\n"
    (tmp_path / HISTORY).write_bytes(line + damage + b"\n" + line)
    position, steps = 0, []
    for _ in range(30):
        found = read_growth(tmp_path, position)
        position = found.position
        steps += [event["step"] for event in found.events]
    assert steps == [7, 7]
    assert position == (tmp_path / HISTORY).stat().st_size
