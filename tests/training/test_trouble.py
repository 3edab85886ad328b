"""A disk that is full or gone, a preview that cannot be made: told, and never the end of a training."""

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.errors import CheckpointError, MemoryShortError, PeerError
from distill.events import UNSAVED, Event
from distill.files import write_whole
from distill.models import model_parts, open_model
from distill.models.detail_by_example import bytes_per_chunk
from distill.models.families.vae_family import MelVAEFamily
from distill.runs.folder import RunFolder
from distill.runs.run_record import RunRecord
from distill.runs.summary import summarise
from distill.serialization import archive
from distill.training import (
    EpochMetrics,
    PreviewEvent,
    TrainingCompleteEvent,
    TrainingNotice,
    list_checkpoints,
    load_checkpoint,
    resume_run,
    train,
)
from distill.training import checkpoint as checkpoint_module
from distill.training.ending import finalize
from distill.training.ending.model_contents import map_entries
from tests.training.conftest import QUICK, ended, topics, write_sounds

CONFIG = replace(QUICK, max_epochs=4, preview_interval_short=1)


def notices(events: list[Event], topic: str) -> list[str]:
    return [e.message for e in events if isinstance(e, TrainingNotice) and e.topic == topic]


class Spoil:
    """A callback that does something when the first epoch has been told."""

    def __init__(self, spoil: Any) -> None:
        self.events: list[Event] = []
        self.spoil = spoil

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, EpochMetrics) and event.epoch == 0:
            self.spoil()


def same_weights(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(torch.equal(v, other["model"].state_dict()[k]) for k, v in one["model"].state_dict().items())


def test_previews_that_cannot_be_written_do_not_disturb_the_training(tmp_path: Path) -> None:
    sounds = write_sounds(tmp_path / "sounds", 5)
    config = replace(CONFIG, max_epochs=2)
    good = train(config, sounds, tmp_path / "good", "cpu")

    def take_away() -> None:
        shutil.rmtree(tmp_path / "run" / "previews")
        (tmp_path / "run" / "previews").write_text("in the way")

    spoil = Spoil(take_away)
    result = train(config, sounds, tmp_path / "run", "cpu", spoil)
    assert ended(spoil.events).outcome == "finished"
    told = notices(spoil.events, "preview")
    assert len(told) == 4  # samples and pairs, of two epochs
    assert all("a preview of epoch" in message and "Training goes on" in message for message in told)
    assert same_weights(good, result)


@pytest.mark.parametrize("method", ["draw_points", "reconstruct", "to_waveform"])
def test_a_preview_that_raises_does_not_disturb_the_training(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds = write_sounds(tmp_path / "sounds", 5)
    config = replace(CONFIG, max_epochs=2)
    good = train(config, sounds, tmp_path / "good", "cpu")

    def fail(*args: Any, **named: Any) -> None:
        torch.rand(1)  # a half-made preview has drawn from the random stream, too
        raise RuntimeError("could not create a primitive" if method == "draw_points" else "out of ideas")

    # Points are drawn for new sounds only; `from_points` decodes reconstructions, too.
    monkeypatch.setattr(model_parts if method == "draw_points" else MelVAEFamily, method, fail)
    events: list[Event] = []
    result = train(config, sounds, tmp_path / "run", "cpu", events.append)
    assert ended(events).outcome == "finished"
    words = "(there is not enough memory). Training goes on; close other programs."
    words = words if method == "draw_points" else "(out of ideas)"
    assert all(words in message for message in notices(events, "preview"))
    # Samples or pairs or both, before training and of two epochs.
    assert len(notices(events, "preview")) == (6 if method == "to_waveform" else 3)
    assert any(isinstance(e, PreviewEvent) for e in events) is (method != "to_waveform")
    assert same_weights(good, result)
    # The detail is computed from reconstructions; the model is saved without it, and with everything else.
    without = [message for message in notices(events, "checkpoint") if "without detail (out of ideas)" in message]
    assert len(without) == (method == "reconstruct")
    monkeypatch.undo()
    parts = open_model(tmp_path / "run" / "model.distill").parts
    assert parts.prior is not None
    assert parts.index is not None
    assert (parts.detail is None) is (method == "reconstruct")


def test_the_nearest_sound_is_searched_among_all_sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there is no room for the detail of all."""
    monkeypatch.setattr("distill.training.ending.model_contents.MOST_BYTES", 2 * bytes_per_chunk(1, 128, 94))
    train(replace(CONFIG, max_epochs=1), write_sounds(tmp_path / "sounds", 6), tmp_path / "run", "cpu")
    parts = open_model(tmp_path / "run" / "model.distill").parts
    assert parts.detail is not None
    assert parts.index is not None
    assert torch.unique(parts.index.owner).tolist() == [0, 1, 2, 3], "two of six are held out"


@pytest.mark.parametrize("part", ["_network", "_training_features", "SoundIndex.build"])
def test_a_part_of_the_model_that_cannot_be_computed_is_missing(
    tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(f"distill.training.ending.model_contents.{part}", fail)
    events: list[Event] = []
    sounds = write_sounds(tmp_path / "sounds", 4)
    train(replace(QUICK, max_epochs=1), sounds, tmp_path / "run", "cpu", events.append)
    assert ended(events).outcome == "finished"
    (told,) = notices(events, "checkpoint")
    assert "is saved without" in told
    assert "(there is not enough memory)" in told
    monkeypatch.undo()
    parts = open_model(tmp_path / "run" / "model.distill").parts
    assert parts.prior is not None
    assert parts.index is None
    assert (parts.detail is None) is (part != "SoundIndex.build")
    # Another epoch computes them again, as the notice says.
    monkeypatch.setattr("distill.training.ending.model_contents.map_entries", lambda family, network, data: {})
    assert resume_run(tmp_path / "run", max_epochs=2)["outcome"] == "finished"
    again = open_model(tmp_path / "run" / "model.distill").parts
    assert again.index is not None
    assert again.detail is not None


def test_a_map_that_cannot_be_computed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any) -> None:
        raise NotImplementedError("an operator is missing on this device")

    monkeypatch.setattr("distill.training.ending.model_contents.map_entries", map_entries)  # other tests leave it out
    monkeypatch.setattr("distill.training.ending.model_contents.fit_map", fail)
    events: list[Event] = []
    train(replace(QUICK, max_epochs=1), write_sounds(tmp_path / "sounds", 4), tmp_path / "run", "cpu", events.append)
    assert ended(events).outcome == "finished"
    (told,) = notices(events, "checkpoint")
    assert "is saved without its map and sliders (an operator is missing on this device)" in told
    opened = open_model(tmp_path / "run" / "model.distill")
    assert opened.map is None
    assert opened.parts.index is not None


def test_a_checkpoint_that_cannot_be_written_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, attempts = archive.write_archive, 0

    def sometimes(path: Path, data: dict[str, Any]) -> None:
        nonlocal attempts
        attempts += 1
        if attempts in (2, 3, 5):  # of 5: one before the first epoch, and one for each of four
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, data)

    monkeypatch.setattr(checkpoint_module, "write_archive", sometimes)
    events: list[Event] = []
    sounds = write_sounds(tmp_path / "sounds", 5)
    result = train(replace(CONFIG, preview_interval_short=100), sounds, tmp_path / "run", "cpu", events.append)
    assert ended(events).outcome == "finished"
    told = notices(events, "checkpoint")
    assert [message.split(" (")[0] for message in told] == [
        f"Could not write the checkpoint of epoch {n}" for n in (1, 2, 4)
    ]
    assert all("No space left on device" in message for message in told)
    assert attempts == 6  # the last one failed, and was tried again at the end
    newest = list_checkpoints(tmp_path / "run" / "checkpoints")[-1]
    assert newest["epoch"] == 3
    data = torch.load(newest["path"], weights_only=True)
    assert all(torch.equal(v, data["model_state_dict"][k]) for k, v in result["model"].state_dict().items())


def test_a_history_that_cannot_be_written_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notice about a preview or a checkpoint neither replaces it nor is replaced by it."""
    append = RunFolder.append_history

    def fail(self: RunFolder, events: Any) -> None:
        if any(isinstance(event, EpochMetrics) and event.epoch == 0 for event in events):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        append(self, events)

    monkeypatch.setattr(RunFolder, "append_history", fail)
    events: list[Event] = []
    train(replace(QUICK, max_epochs=1), write_sounds(tmp_path / "sounds", 4), tmp_path / "run", "cpu", events.append)
    (told,) = notices(events, "history")
    assert told.startswith("Could not write the history (")
    assert notices(events, "preview") == []


def test_a_model_that_cannot_be_saved_is_told(tmp_path: Path) -> None:
    (tmp_path / "library").write_text("in the way")
    events: list[Event] = []
    sounds = write_sounds(tmp_path / "sounds", 4)
    config = replace(QUICK, max_epochs=1)
    train(config, sounds, tmp_path / "run", "cpu", events.append, models_dir=tmp_path / "library")
    assert ended(events).outcome == "finished"
    (told,) = notices(events, "checkpoint")
    assert "could not be copied into the library" in told
    assert str(tmp_path / "run" / "model.distill") in told
    assert open_model(tmp_path / "run" / "model.distill")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with room for about one checkpoint."""
    if sys.platform != "linux":
        pytest.skip("a small tmpfs belongs to Linux")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=90m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up(tmp_path: Path, small_disk: Path) -> None:
    """In the middle of the run there is no byte left; then there is room again."""
    sounds = write_sounds(tmp_path / "sounds", 5)
    filler = small_disk / "filler"

    def fill() -> None:
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * (1 << 16))
            except OSError:
                pass

    spoil = Spoil(fill)
    train(replace(CONFIG, max_epochs=3), sounds, small_disk / "run", "cpu", spoil)
    assert ended(spoil.events).outcome == UNSAVED  # also its record could not be written
    assert RunRecord.load(small_disk / "run").status == "running"
    assert "checkpoint" in topics(spoil.events)
    assert "preview" in topics(spoil.events)
    assert any("No space left on device" in message for message in notices(spoil.events, "checkpoint"))
    listed = list_checkpoints(small_disk / "run" / "checkpoints")
    assert listed
    for found in listed:
        load_checkpoint(found["path"], MelVAEFamily(CONFIG).build())
    assert not list((small_disk / "run").rglob("*.part"))
    if (small_disk / "run" / "model.distill").exists():
        open_model(small_disk / "run" / "model.distill")
    filler.unlink()
    again = resume_run(small_disk / "run")
    assert again["outcome"] == "finished"
    assert [e.epoch for e in again["metrics_history"].epochs] == [0, 1, 2]
    assert open_model(small_disk / "run" / "model.distill")


def test_no_checkpoint_left_to_resume_is_an_error_and_no_new_start(tmp_path: Path) -> None:
    sounds = write_sounds(tmp_path / "sounds", 4)
    train(replace(QUICK, max_epochs=1), sounds, tmp_path / "run", "cpu")
    for path in (tmp_path / "run" / "checkpoints").glob("*.pt"):
        path.write_bytes(path.read_bytes()[:-500])
    for path in (tmp_path / "run" / "checkpoints").glob("*.json"):
        path.unlink()
    with pytest.raises(CheckpointError, match="None of the 1 checkpoints"):
        resume_run(tmp_path / "run", max_epochs=3)


def test_the_end_is_told_after_everything_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when what is written last is what fails."""

    def fail(*args: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    events: list[Event] = []
    sounds = write_sounds(tmp_path / "sounds", 4)

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, EpochMetrics):
            monkeypatch.setattr("distill.files._flush_folder", fail)

    train(replace(QUICK, max_epochs=1), sounds, tmp_path / "run", "cpu", emit)
    assert isinstance(events[-1], TrainingCompleteEvent)
    assert ended(events).outcome == UNSAVED
    assert notices(events, "checkpoint")


#: What cannot be written, whether the user stops the run, and: outcome, words of the end, what a resume does then.
UNWRITTEN = [
    (("checkpoint", "model"), False, UNSAVED, "no checkpoint, so the run can only begin again"),
    (("model",), False, UNSAVED, "then resume the run: it saves the model"),
    (("checkpoint",), False, "finished", None),
    (("checkpoint", "model"), True, UNSAVED, "no checkpoint, so the run can only begin again"),
    (("checkpoint",), True, "stopped", None),
    (("model",), True, "stopped", None),
]


@pytest.mark.parametrize(("what", "stops", "outcome", "words"), UNWRITTEN)
def test_a_run_that_cannot_save_its_model_is_not_finished(
    tmp_path: Path, what: tuple[str, ...], stops: bool, outcome: str, words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is kept in memory then, and can be written elsewhere; one that fits is written without a checkpoint."""
    whole, cancel = write_whole, threading.Event()

    def full(path: Path) -> Any:
        kind = "model" if path.suffix == ".distill" else "checkpoint"
        if kind in what and tmp_path / "run" in path.parents:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(path)

    def emit(event: Event) -> None:
        events.append(event)
        if stops and isinstance(event, EpochMetrics):
            cancel.set()

    monkeypatch.setattr(archive, "write_whole", full)
    events: list[Event] = []
    sounds = write_sounds(tmp_path / "sounds", 4)
    config = replace(QUICK, max_epochs=2 if stops else 1)
    result = train(config, sounds, tmp_path / "run", "cpu", emit, cancel)
    end = ended(events)
    assert (end.outcome, result["outcome"]) == (outcome, outcome)
    record = RunRecord.load(tmp_path / "run")
    assert record.status == outcome
    assert summarise(tmp_path / "run").can_resume is (outcome != "finished")
    kept = result["unsaved_model"]
    assert (kept is not None) is (outcome == UNSAVED)
    if words is not None:
        assert words in str(end.error)
        assert "No space left on device" in str(end.error)
        assert end.error == record.error == result["error"]
        assert not (tmp_path / "run" / "model.distill").exists()
        saved = open_model(kept.save(tmp_path / "elsewhere" / "mine.distill"))
        assert all(torch.equal(v, saved.model.state_dict()[k]) for k, v in result["model"].state_dict().items())
    elif "model" not in what:
        assert open_model(tmp_path / "run" / "model.distill")
        assert any("last checkpoint could not be written" in message for message in notices(events, "checkpoint"))
    monkeypatch.undo()
    if outcome == UNSAVED and "checkpoint" not in what:
        assert resume_run(tmp_path / "run")["outcome"] == "finished"
        assert open_model(tmp_path / "run" / "model.distill")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory"),
                                   torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("std::bad_alloc"),
                                   RuntimeError("could not create a primitive"),
                                   OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))])  # fmt: skip
def test_a_lack_of_memory_proposes_a_smaller_batch(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **named: Any) -> None:
        raise error

    monkeypatch.setattr("distill.training.loop.train_steps", fail)
    sounds = write_sounds(tmp_path / "sounds", 4)
    events: list[Event] = []
    with pytest.raises(MemoryShortError, match="smaller batch, for example 2 instead of 4"):
        train(replace(QUICK, max_epochs=1), sounds, tmp_path / "run", "cpu", events.append)
    assert ended(events).outcome == "failed"
    assert "not enough memory" in str(RunRecord.load(tmp_path / "run").error)
    assert len(list_checkpoints(tmp_path / "run" / "checkpoints")) == 1
    monkeypatch.setattr(torch, "load", fail)  # nor is the checkpoint called damaged
    with pytest.raises(MemoryShortError, match="not enough memory to open"):
        resume_run(tmp_path / "run")
    monkeypatch.undo()
    load = torch.optim.AdamW.load_state_dict

    def fail_once(*args: Any) -> None:
        monkeypatch.setattr(torch.optim.AdamW, "load_state_dict", load)
        raise error

    monkeypatch.setattr(torch.optim.AdamW, "load_state_dict", fail_once)
    with pytest.raises(MemoryShortError, match="not enough memory for this training"):
        resume_run(tmp_path / "run")
    assert resume_run(tmp_path / "run")["outcome"] == "finished"


def test_that_another_process_is_gone_is_recorded_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launcher kills what is left some seconds later, perhaps before the model is written."""
    reason, run, export = "Process 1 of 2 is gone.", tmp_path / "run", finalize._export
    seen: list[RunRecord] = []

    def gone(*args: Any, **named: Any) -> None:
        raise PeerError(reason)

    def see(*args: Any, **named: Any) -> Any:
        seen.append(RunRecord.load(run))
        return export(*args, **named)

    monkeypatch.setattr("distill.training.loop.train_steps", gone)
    monkeypatch.setattr(finalize, "_export", see)
    with pytest.raises(PeerError, match=reason):
        train(replace(QUICK, max_epochs=1), write_sounds(tmp_path / "sounds", 4), run, "cpu")
    assert [(record.status, record.error) for record in seen] == [("failed", reason)]
    notes = RunRecord.load(run).notes
    assert len(set(notes)) == len(notes)
