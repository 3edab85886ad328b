"""The queue of runs on disk: order, damage, locks, and working it off."""

import errno
import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill import paths
from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.sound_fix import SoundFix
from distill.audio.export import write_wav
from distill.config.factory import make_config
from distill.config.training import TrainingConfig, VQVAEConfig
from distill.errors import (
    CheckpointError,
    ConfigurationError,
    ModelNotSavedError,
    NotEnoughSoundsError,
    QueueError,
    TrainingError,
)
from distill.runs.folder import RunFolder
from distill.runs.queue import FAILED, FINISHED, RUNNING, STOPPED, WAITING, QueueEntry, RunQueue, work_off
from distill.runs.run_record import RunRecord
from distill.training.dataset import prepare_sounds


def entry(name: str, **changes: Any) -> QueueEntry:
    return QueueEntry(name, (Path("/sounds"),), epochs=3, changes={"seed": 7}, **changes)


def names(queue: RunQueue) -> list[str]:
    return [item.name for item in queue.read().entries]


@pytest.fixture
def queue() -> RunQueue:
    made = RunQueue()
    made.add([entry("a"), entry("b"), entry("c")])
    return made


def begun(one: QueueEntry, status: str) -> QueueEntry:
    """An entry whose run is on disk."""
    folder = paths.runs_dir() / one.name
    run = RunFolder(folder, resuming=False)
    RunRecord(make_config("vae", 2), [Path("a.wav")], status=status).save(folder)
    run.close()
    return replace(one, status=RUNNING, run=folder.name)


def test_entries_keep_their_order_across_restarts(queue: RunQueue) -> None:
    first, _, last = queue.read().entries
    queue.move(last.id, 0)
    assert names(RunQueue()) == ["c", "a", "b"]
    queue.remove([first.id, "unknown"])
    queue.set_paused(True)
    state = RunQueue().read()
    assert [item.name for item in state.entries] == ["c", "b"]
    assert state.is_paused
    assert state.entries[0] == last


@pytest.mark.parametrize(
    "bad",
    [
        None, [], {}, {"name": "x"}, {"run": "../../elsewhere"}, {"run": ".."}, {"run": "a/b"}, {"run": "a\\b"},
        {"sounds": []}, {"sounds": [3]}, {"sounds": ["a\0b"]}, {"family": "gan"}, {"preset": "wild"},
        {"epochs": -1}, {"epochs": True}, {"epochs": 10**9}, {"changes": {"seed": []}}, {"changes": 3},
        {"fixes": []}, {"fixes": {"a.wav": 1}}, {"fixes": {"": {}}}, {"fixes": {"a.wav": {"weight": 7}}},
        {"fixes": {"a.wav": {"hum_hz": "50"}}}, {"start_from": 3}, {"start_from": ""}, {"start_from": "a\0b"},
        {"status": "done"}, {"name": ""}, {"name": "x" * 10_000}, {"id": ""}, {"id": 3},
    ],
)  # fmt: skip
def test_a_damaged_entry_costs_only_itself(queue: RunQueue, bad: Any) -> None:
    data = json.loads(queue.file.read_text())
    whole = data["entries"][1]
    is_change = (isinstance(bad, dict) and bad and set(bad) != {"name"}) or bad == {"name": ""}
    data["entries"][1] = {**whole, **bad} if is_change else bad
    queue.file.write_text(json.dumps(data))
    assert names(queue) == ["a", "c"]
    assert queue.read().damaged == 1
    queue.add([entry("d")])
    assert names(queue) == ["a", "c", "d"]
    assert queue.read().damaged == 0
    assert queue.file.with_name("queue.damaged.json").is_file()  # nothing is thrown away


def test_fixes_and_what_it_starts_from_are_kept(queue: RunQueue) -> None:
    assert not {"fixes", "start_from"} & set(json.loads(queue.file.read_text())["entries"][0])
    fixes = {Path("/sounds/a.wav"): SoundFix(trims=True, hum_hz=50.0), Path("/sounds/b.wav"): SoundFix(leaves_out=True)}
    given = entry("d", fixes=fixes, start_from=Path("/models/bells.distill"))
    queue.add([given])
    assert RunQueue().read().entries[-1] == given


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("/models/bells_0123abcd.distill", "the model bells"),
        ("/runs/bells/model.distill", "the model bells"),
        ("/runs/bells/checkpoints/checkpoint_epoch0003.pt", "epoch 4 of the run bells"),
        ("/kept/last.pt", "the model last"),
    ],
)
def test_what_it_starts_from_is_named(file: str, text: str) -> None:
    one = entry("a", start_from=Path(file))
    assert one.origin_text == text
    with pytest.raises(QueueError, match=f"“a” starts from {text}, which is not where it was"):
        one.config(2)


def test_a_run_from_a_checkpoint_has_its_shape(tmp_path: Path) -> None:
    for config in (TrainingConfig(latent_dim=24), VQVAEConfig()):
        torch.save({"training_config": config.to_dict()}, tmp_path / f"{config.family}.pt")
    torch.save({}, tmp_path / "other.pt")
    assert getattr(entry("a", start_from=tmp_path / "vae.pt").config(2), "latent_dim", 0) == 24
    for name, error in (("vqvae", ConfigurationError), ("other", CheckpointError)):
        with pytest.raises(error):
            entry("a", start_from=tmp_path / f"{name}.pt").config(2)


def test_a_file_that_is_no_queue_is_kept_aside(queue: RunQueue) -> None:
    queue.file.write_text("no queue")
    assert queue.read().entries == ()
    queue.add([entry("d")])
    assert names(queue) == ["d"]
    assert queue.file.with_name("queue.damaged.json").read_text() == "no queue"


def test_a_newer_queue_is_left_alone(queue: RunQueue) -> None:
    queue.file.write_text('{"version": 99, "entries": []}')
    with pytest.raises(QueueError, match="newer version"):
        queue.add([entry("d")])
    assert "99" in queue.file.read_text()


def test_one_process_at_a_time_works_it_off(queue: RunQueue) -> None:
    assert not queue.is_worked_off()
    runner = queue.hold()
    assert queue.is_worked_off()
    with pytest.raises(QueueError, match="Another Distill"):
        RunQueue().hold()
    first = runner.next()
    assert first is not None
    with pytest.raises(QueueError, match="training right now"):
        queue.remove([first.id])
    runner.close()
    assert not queue.is_worked_off()
    queue.remove([first.id])


def test_the_next_one_is_the_first_that_is_left(queue: RunQueue) -> None:
    a, b, c = queue.read().entries
    queue.remove([a.id, b.id, c.id])
    done, stopped = begun(a, "finished"), begun(b, "stopped")
    queue.add([done, stopped, c])
    runner = queue.hold()
    found = runner.next()
    assert found is not None
    assert found.name == "b"
    assert found.is_begun  # its run is resumed
    assert [item.status for item in queue.read().entries] == [FINISHED, RUNNING, WAITING]
    runner.end(found.id, FINISHED)
    queue.set_paused(True)
    assert runner.next() is None
    queue.set_paused(False)
    last = runner.next()
    assert last is not None
    assert last.name == "c"
    assert not last.is_begun
    runner.close()


def test_a_run_that_somebody_has_resumed_by_hand_is_passed_over(queue: RunQueue) -> None:
    a, *_ = queue.read().entries
    queue.remove([a.id])
    queue.add([begun(a, "stopped")])
    queue.move(a.id, 0)
    held = RunFolder(paths.runs_dir() / "a", resuming=True)
    runner = queue.hold()
    found = runner.next()
    held.close()
    runner.close()
    assert found is not None
    assert found.name == "b"


@pytest.mark.skipif(os.name != "posix", reason="links need a right on Windows")
def test_a_run_that_is_out_of_reach_holds_up_no_other(queue: RunQueue) -> None:
    """As a link to a drive that is gone; the queue was said not to be writable, and nothing was run."""
    first, *others = queue.read().entries
    paths.runs_dir().mkdir(parents=True)
    (paths.runs_dir() / "linked").symlink_to("x" * 300)
    with queue.changing() as change:
        change.write([replace(first, status=STOPPED, run="linked"), *others])
    ended = work_off(queue, lambda _entry: FINISHED)
    assert [one.name for one in ended] == ["b", "c"]
    lost = queue.read().entries[0]
    assert (lost.status, lost.run) == (FAILED, "linked")
    assert "cannot be read (File name too long)" in lost.problem


def test_a_failed_entry_says_why_and_the_others_are_run(queue: RunQueue) -> None:
    def run(one: QueueEntry) -> str:
        if one.name == "a":
            raise TrainingError("The disk is full.")
        if one.name == "b":
            raise RuntimeError("a bug")
        return FINISHED

    ended = work_off(queue, run)
    assert [(one.name, one.status) for one in ended] == [("a", FAILED), ("b", FAILED), ("c", FINISHED)]
    listed = queue.read().entries
    assert listed[0].problem == "The disk is full."
    assert "a bug" in listed[1].problem
    assert not queue.is_worked_off()


def test_after_a_model_that_could_not_be_saved_no_further_one_begins(queue: RunQueue) -> None:
    """The disk is as full for the next one, which would train for nothing."""

    def run(one: QueueEntry) -> str:
        raise ModelNotSavedError(f"The model of {one.name} could not be saved. Make room.")

    ended = work_off(queue, run)
    reason = "The model of a could not be saved. Make room."
    assert [(one.name, one.status, one.problem) for one in ended] == [("a", STOPPED, reason)]
    state = queue.read()
    assert state.is_paused
    assert [one.status for one in state.entries] == [STOPPED, WAITING, WAITING]
    assert state.entries[0].problem == reason
    assert [one.name for one in work_off(queue, lambda _one: FINISHED)] == ["a", "b", "c"]
    assert not queue.read().is_paused


def test_the_queue_may_lie_on_the_full_disk_too(queue: RunQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_one: QueueEntry) -> str:
        def fail(*_given: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("distill.runs.queue.write_json", fail)
        raise ModelNotSavedError("There is no room.")

    assert [(one.status, one.problem) for one in work_off(queue, run)] == [(STOPPED, "There is no room.")]
    assert not queue.is_worked_off()


def test_after_a_stop_no_further_one_begins(queue: RunQueue) -> None:
    ended = work_off(queue, lambda _one: STOPPED)
    assert [one.name for one in ended] == ["a"]
    assert [one.status for one in queue.read().entries] == [STOPPED, WAITING, WAITING]


def test_an_interrupt_leaves_the_entry_to_be_resumed(queue: RunQueue) -> None:
    def run(_one: QueueEntry) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work_off(queue, run)
    assert queue.read().entries[0].status == STOPPED
    assert not queue.is_worked_off()


def test_a_stop_while_the_sounds_are_looked_for_leaves_the_entry_to_be_resumed(queue: RunQueue, tmp_path: Path) -> None:
    def run(one: QueueEntry) -> str:
        stop = threading.Event()
        stop.set()
        write_wav(tmp_path / "sounds" / "one.wav", np.zeros(100, np.float32))
        replace(one, sounds=(tmp_path / "sounds",)).find_sounds(stop)
        return FINISHED

    ended = work_off(queue, run)
    assert [(one.name, one.status, one.problem) for one in ended] == [("a", STOPPED, "")]
    assert [one.status for one in queue.read().entries] == [STOPPED, WAITING, WAITING]


def test_sounds_that_are_gone_are_told(queue: RunQueue) -> None:
    with pytest.raises(QueueError, match="Put them back"):
        queue.read().entries[0].find_sounds()


def test_the_run_says_which_of_several_sounds_are_gone(tmp_path: Path) -> None:
    """It trains on the others, as with files that cannot be read; this was not said."""
    for name in ("a", "b"):
        write_wav(tmp_path / "here" / f"{name}.wav", np.full(4800, 0.5, np.float32))
    gone = (tmp_path / "folder", tmp_path / "file.wav")
    files, usable = replace(entry("a"), sounds=(gone[0], tmp_path / "here", gone[1])).find_sounds()
    assert usable == 2
    assert {path for path in files if path.parent != tmp_path / "here"} == set(gone)
    with pytest.raises(NotEnoughSoundsError) as caught:
        prepare_sounds([path for path in files if path.name != "b.wav"], SoundCache())
    assert "folder: the file is no longer there" in str(caught.value)
    assert "file.wav: the file is no longer there" in str(caught.value)


def test_sounds_that_cannot_be_looked_at_are_said_to_be_gone(tmp_path: Path) -> None:
    """A folder that is closed, or a name that its disk does not take, was reported as a bug of Distill."""
    lost = replace(entry("a"), sounds=(tmp_path / ("x" * 300),))
    with pytest.raises(QueueError, match="are not where they were"):
        lost.find_sounds()


def test_a_queue_of_very_many_sounds_is_read_again_or_not_written(
    queue: RunQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over 16 MB it counted as damaged, and the next change put all of it aside."""
    sounds = tuple(Path("/sounds") / f"{'long name of a hit ' * 40}{number:05d}.wav" for number in range(2_600))
    queue.add([replace(entry(f"many {number}"), sounds=sounds) for number in range(9)])
    assert queue.file.stat().st_size > 16 << 20
    assert queue.read().damaged == 0
    assert len(names(queue)) == 12
    monkeypatch.setattr("distill.runs.queue._MOST_BYTES", 1 << 20)
    other = RunQueue(queue.folder / "other")
    other.add([entry("a")])
    with pytest.raises(QueueError, match="Add their folder, or remove"):
        other.add([replace(entry("many"), sounds=sounds)])
    assert names(other) == ["a"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sounds": tuple(Path(f"/sounds/{n}.wav") for n in range(20_001))}, "20001 sounds.* Add their folder"),
        ({"name": "n" * 5000}, "name of an entry"),
    ],
)
def test_what_could_not_be_read_again_is_not_added(queue: RunQueue, changes: dict[str, Any], reason: str) -> None:
    """It was written, counted as damaged at the next look, and was gone."""
    with pytest.raises(QueueError, match=reason):
        queue.add([replace(entry("d"), **changes)])
    assert names(queue) == ["a", "b", "c"]
    assert queue.read().damaged == 0
