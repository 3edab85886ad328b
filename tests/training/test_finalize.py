"""Every way in which a run can end, and what is left of it then."""

import math
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from distill.audio.export import write_wav
from distill.errors import CheckpointError, ConfigurationError, NotEnoughSoundsError, RunFolderError, TrainingError
from distill.events import Event
from distill.library.model_library import ModelLibrary
from distill.models import open_model
from distill.models.families.vae_family import MelVAEFamily
from distill.runs.run_history import read_history
from distill.runs.run_record import RunRecord
from distill.training import (
    EpochMetrics,
    PreparationProgress,
    PreviewEvent,
    RegularizationConfig,
    StepMetrics,
    TrainingNotice,
    list_checkpoints,
    load_checkpoint,
    resume_run,
    train,
)
from tests.training.conftest import QUICK, RUN, Finished, ended, failing, topics, write_sounds


def steady(seconds: float) -> Any:
    """A sound without pauses."""
    return np.sin(np.arange(round(seconds * 48_000)) / 20).astype(np.float32)


class TestEveryEnd:
    def test_too_few_sounds(self, tmp_path: Path) -> None:
        events: list[Event] = []
        sounds = write_sounds(tmp_path / "sounds", 1)
        error = failing(events, QUICK, sounds, tmp_path / "run", "cpu")
        assert isinstance(error, NotEnoughSoundsError)
        assert not (tmp_path / "run").exists()
        # The same folder may be used again, with the sounds that were missing.
        more = write_sounds(tmp_path / "sounds", 3)
        train(replace(QUICK, max_epochs=1), more, tmp_path / "other", "cpu")
        assert train(QUICK, more, tmp_path / "run", "cpu")["outcome"] == "finished"
        assert RunRecord.load(tmp_path / "run").file_paths == more

    def test_too_few_sounds_leave_the_folder_that_was_given(self, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "notes.txt").write_text("mine")
        error = failing([], QUICK, write_sounds(tmp_path / "sounds", 1), tmp_path / "run", "cpu")
        assert isinstance(error, NotEnoughSoundsError)
        assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]

    def test_too_few_sounds_keep_a_run_that_was_begun_before(self, tmp_path: Path) -> None:
        sounds, stop = write_sounds(tmp_path / "sounds", 3), threading.Event()
        stop.set()
        train(QUICK, sounds, tmp_path / "run", "cpu", cancel_event=stop)
        for path in sounds[1:]:
            path.unlink()
        error = failing([], QUICK, sounds, tmp_path / "run", "cpu")
        assert isinstance(error, NotEnoughSoundsError)
        assert RunRecord.load(tmp_path / "run").status == "failed"

    @pytest.mark.parametrize(("chunk_s", "seconds", "needed"), [(2.0, 10.0, "16 s"), (0.25, 1.5, "2 s")])
    def test_one_sound_that_is_too_short_for_its_chunks(
        self, tmp_path: Path, chunk_s: float, seconds: float, needed: str
    ) -> None:
        write_wav(tmp_path / "sounds" / "one.wav", steady(seconds))
        config = replace(QUICK, chunk_duration_s=chunk_s)
        error = failing([], config, [tmp_path / "sounds" / "one.wav"], tmp_path / "run", "cpu")
        assert isinstance(error, NotEnoughSoundsError)
        assert f"or one of at least {needed}" in str(error)

    def test_one_sound_that_is_long_enough_only_with_its_silence(self, tmp_path: Path) -> None:
        """One of 12 s was refused because it is not one of at least 8 s."""
        write_wav(tmp_path / "sounds" / "one.wav", np.concatenate([steady(3.0), np.zeros(9 * 48_000, np.float32)]))
        error = failing([], QUICK, [tmp_path / "sounds" / "one.wav"], tmp_path / "run", "cpu")
        assert isinstance(error, NotEnoughSoundsError)
        assert "only one.wav can be used, which has 3.0 s of sound in its 12.0 s (" in str(error)

    @pytest.mark.skipif(os.name == "nt", reason="Names of files are text there.")
    def test_a_folder_whose_name_is_no_utf_8(self, tmp_path: Path) -> None:
        """All epochs were trained, and the model could not be written."""
        out = Path(os.fsdecode(os.fsencode(tmp_path) + b"/l\xe4uft"))
        sounds = write_sounds(tmp_path / "sounds", 3)
        done = train(replace(QUICK, max_epochs=1), sounds, out, "cpu", dataset_name=out.name)
        assert done["outcome"] == "finished"
        assert open_model(out / "model.distill").metadata.dataset_name == out.name

    def test_one_sound_of_three_seconds_has_enough_short_chunks(self, tmp_path: Path) -> None:
        write_wav(tmp_path / "sounds" / "one.wav", steady(3.0))
        config = replace(QUICK, max_epochs=1, chunk_duration_s=0.25)
        assert train(config, [tmp_path / "sounds" / "one.wav"], tmp_path / "run", "cpu")["outcome"] == "finished"

    def test_a_device_that_is_not_there(self, tmp_path: Path) -> None:
        events: list[Event] = []
        error = failing(events, QUICK, [], tmp_path / "run", "cuda:99")
        assert isinstance(error, ConfigurationError)
        assert not (tmp_path / "run").exists()

    def test_a_folder_that_is_taken(self, done: Finished) -> None:
        events: list[Event] = []
        before = (done.folder / "run.json").read_bytes()
        assert isinstance(failing(events, QUICK, done.sounds, done.folder, "cpu"), RunFolderError)
        assert (done.folder / "run.json").read_bytes() == before

    def test_the_checkpoint_of_one_run_does_not_go_into_the_folder_of_another(
        self, done: Finished, tmp_path: Path
    ) -> None:
        train(replace(QUICK, max_epochs=1), done.sounds, tmp_path / "other", "cpu")
        checkpoint = list_checkpoints(done.folder / "checkpoints")[-1]["path"]
        events: list[Event] = []
        longer = replace(RUN, max_epochs=9)
        error = failing(events, longer, done.sounds, tmp_path / "other", "cpu", resume_checkpoint=checkpoint)
        assert isinstance(error, RunFolderError)

    def test_a_resume_that_is_refused_leaves_the_run_as_it_was(self, done: Finished) -> None:
        def contents() -> dict[str, bytes]:
            return {str(p): p.read_bytes() for p in done.folder.rglob("*") if p.is_file()}

        before, events = contents(), []  # type: ignore[var-annotated]
        checkpoint = list_checkpoints(done.folder / "checkpoints")[-1]["path"]
        for config, sounds in (
            (RUN, done.sounds),
            (replace(RUN, max_epochs=9, latent_dim=8), done.sounds),
            (replace(RUN, max_epochs=9), done.sounds[:-1]),
            (replace(RUN, max_epochs=9), done.sounds[:1]),
        ):
            events = []
            error = failing(events, config, sounds, done.folder, "cpu", resume_checkpoint=checkpoint)
            assert isinstance(error, (CheckpointError, NotEnoughSoundsError))
            assert contents() == before

    @pytest.mark.parametrize("kind", [PreparationProgress, StepMetrics, EpochMetrics, PreviewEvent])
    def test_a_callback_that_raises(self, tmp_path: Path, kind: Any) -> None:
        events: list[Event] = []

        def emit(event: Event) -> None:
            events.append(event)
            if isinstance(event, kind):
                raise ZeroDivisionError("a bug of the caller")

        with pytest.raises(ZeroDivisionError, match="a bug of the caller"):
            train(QUICK, write_sounds(tmp_path / "sounds", 4), tmp_path / "run", "cpu", emit)
        end = ended(events)
        assert (end.outcome, end.error) == ("failed", "a bug of the caller")
        assert RunRecord.load(tmp_path / "run").status == "failed"
        assert all(
            load_checkpoint(f["path"], MelVAEFamily(QUICK).build())
            for f in list_checkpoints(tmp_path / "run/checkpoints")
        )

    def test_cancelled_before_the_first_sound_is_read(self, tmp_path: Path) -> None:
        events: list[Event] = []
        cancel = threading.Event()
        cancel.set()
        sounds = write_sounds(tmp_path / "sounds", 4)
        result = train(QUICK, sounds, tmp_path / "run", "cpu", events.append, cancel)
        assert result["outcome"] == "stopped"
        end = ended(events)
        assert (end.outcome, end.total_epochs, end.final_val_loss, end.best_epoch) == ("stopped", 0, None, None)
        assert RunRecord.load(tmp_path / "run").status == "stopped"
        assert resume_run(tmp_path / "run")["outcome"] == "finished"  # nothing was lost

    def test_cancelling_takes_effect_within_one_step(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        cancel, computed = threading.Event(), 0
        objective = MelVAEFamily.objective

        def counting(self: Any, model: Any, features: Any, step: int | None = None) -> Any:
            nonlocal computed
            computed += 1
            if computed == 3:
                cancel.set()
            return objective(self, model, features, step)

        monkeypatch.setattr(MelVAEFamily, "objective", counting)
        events: list[Event] = []
        train(QUICK, write_sounds(tmp_path / "sounds", 10), tmp_path / "run", "cpu", events.append, cancel)
        assert computed == 3
        assert ended(events).outcome == "stopped"
        assert len([e for e in events if isinstance(e, StepMetrics)]) == 2  # the third is abandoned
        (found,) = list_checkpoints(tmp_path / "run" / "checkpoints")
        data = torch.load(found["path"], weights_only=True)
        assert (found["epoch"], found["val_loss"]) == (0, None)
        assert (data["training_state"]["step_in_epoch"], data["step"]) == (2, 2)
        assert (tmp_path / "run" / "model.distill").exists()  # also when the user stopped it


class TestNonFinite:
    def poisoned(self, monkeypatch: pytest.MonkeyPatch, when: Any) -> None:
        """Put a NaN into the training batches whose running number ``when`` picks."""
        number = 0
        objective = MelVAEFamily.objective

        def poisonous(self: Any, model: Any, features: Any, step: int | None = None) -> Any:
            nonlocal number
            if step is not None:
                number += 1
                if when(number):
                    features = features.clone()
                    features[0, 0, 5, 7] = math.nan
            return objective(self, model, features, step)

        monkeypatch.setattr(MelVAEFamily, "objective", poisonous)

    def test_a_nan_in_a_batch_is_left_out_and_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.poisoned(monkeypatch, lambda n: n in (2, 6))
        events: list[Event] = []
        result = train(QUICK, write_sounds(tmp_path / "sounds", 10), tmp_path / "run", "cpu", events.append)
        steps = [e for e in events if isinstance(e, StepMetrics)]
        assert [n for n, e in enumerate(steps, 1) if not math.isfinite(e.train_loss)] == [2, 6]
        assert topics(events).count("non-finite") == 2
        told = next(e.message for e in events if isinstance(e, TrainingNotice) and e.topic == "non-finite")
        assert told.startswith("Epoch 1, step 2: "), "counted from 1, as everywhere else"
        assert ended(events).outcome == "finished"
        assert all(torch.isfinite(v).all() for v in result["model"].state_dict().values())
        assert all(math.isfinite(e.val_loss) for e in events if isinstance(e, EpochMetrics))
        assert read_history(tmp_path / "run") == result["metrics_history"]

    def test_fifty_in_a_row_end_the_run_and_keep_what_was_good(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = replace(QUICK, batch_size=1, max_epochs=8, checkpoint_interval=100)
        sounds = write_sounds(tmp_path / "sounds", 10)
        with monkeypatch.context() as patch:
            self.poisoned(patch, lambda n: n > 25)
            events: list[Event] = []
            error = failing(events, config, sounds, tmp_path / "run", "cpu")
        assert isinstance(error, TrainingError)
        assert "50 steps in a row" in str(error)
        assert "last good checkpoint is kept" in str(error)
        steps = [e for e in events if isinstance(e, StepMetrics)]
        assert 75 <= len(steps) < 100  # they are read a few at a time
        assert topics(events).count("non-finite") == 1
        assert RunRecord.load(tmp_path / "run").status == "failed"
        kept = list_checkpoints(tmp_path / "run" / "checkpoints")
        assert kept
        for found in kept:
            data = torch.load(found["path"], weights_only=True)
            assert all(torch.isfinite(v).all() for v in data["model_state_dict"].values())
            assert data["step"] == len(data["metrics_history"]["steps"]["step"])
        assert open_model(tmp_path / "run" / "model.distill")
        # And it goes on from there: no step is lost, none is taken twice.
        result = resume_run(tmp_path / "run")
        numbers = list(zip(*(result["metrics_history"].step_column(n) for n in ("epoch", "step")), strict=True))
        per_epoch = steps[0].total_steps
        assert numbers == [(e, s) for e in range(8) for s in range(per_epoch)]


class TestTheNextBestCheckpoint:
    def test_resuming_an_older_one_leaves_nothing_of_the_time_after_it(self, tmp_path: Path) -> None:
        """A checkpoint of the epochs that are trained again must not pass for the newest."""
        sounds = write_sounds(tmp_path / "sounds", 6)
        config = replace(QUICK, max_epochs=4)
        whole = train(config, sounds, tmp_path / "run", "cpu")
        older = list_checkpoints(tmp_path / "run" / "checkpoints")[-3]
        assert older["epoch"] == 1
        cancel = threading.Event()

        def stop(event: Event) -> None:
            if isinstance(event, StepMetrics):
                cancel.set()

        train(config, sounds, tmp_path / "run", "cpu", stop, cancel, older["path"])
        assert list_checkpoints(tmp_path / "run" / "checkpoints")[-1]["epoch"] == 2
        again = resume_run(tmp_path / "run")
        for key, value in whole["model"].state_dict().items():
            assert torch.equal(again["model"].state_dict()[key], value)


def test_the_pipeline_of_a_run_makes_the_variants_that_it_says(tmp_path: Path) -> None:
    """As many steps as variants times chunks ask for."""
    sounds = write_sounds(tmp_path / "sounds", 6)
    counts = []
    for expansion in (1, 3):
        regularization = RegularizationConfig(augmentation_expansion=expansion)
        config = replace(QUICK, max_epochs=1, batch_size=1, regularization=regularization)
        events: list[Event] = []
        train(config, sounds, tmp_path / f"run {expansion}", "cpu", events.append)
        counts.append(len([e for e in events if isinstance(e, StepMetrics)]))
    assert counts[1] == 3 * counts[0]


def test_the_model_file_has_the_loss_of_the_epoch_that_it_is_from(tmp_path: Path) -> None:
    sounds = write_sounds(tmp_path / "sounds", 4)
    config = replace(QUICK, max_epochs=5, checkpoint_interval=2)
    result = train(config, sounds, tmp_path / "run", "cpu")
    facts = open_model(tmp_path / "run" / "model.distill").metadata
    measured = [epoch.val_loss for epoch in result["metrics_history"].epochs]
    assert facts.final_val_loss == measured[facts.training_epochs - 1] == min(measured)


def test_a_resumed_run_replaces_its_model_in_the_library(tmp_path: Path) -> None:
    sounds = write_sounds(tmp_path / "sounds", 4)
    config = replace(QUICK, max_epochs=1)
    library = tmp_path / "library"
    train(config, sounds, tmp_path / "run", "cpu", models_dir=library, model_name="Bells")
    before = [path.name for path in library.iterdir()]
    resume_run(tmp_path / "run", max_epochs=2, models_dir=library)
    assert [path.name for path in library.iterdir()] == before
    assert open_model(library / before[0]).metadata.training_epochs == 2


def test_two_runs_that_begin_in_one_second_have_models_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As two commands in one line do, with folders of one name and the same sounds."""
    begun = datetime(2026, 11, 30, 12, tzinfo=UTC)
    monkeypatch.setattr("distill.runs.run_record.datetime", SimpleNamespace(now=lambda _zone: begun))
    sounds, library = write_sounds(tmp_path / "sounds", 3), ModelLibrary(tmp_path / "library")
    for folder in ("one", "two"):
        config = replace(QUICK, max_epochs=1, seed=len(folder))
        train(config, sounds, tmp_path / folder / "run", "cpu", models_dir=library.folder, model_name="Bells")
    ids = {entry.model_id for entry in library.list()}
    assert len(ids) == 2
    resume_run(tmp_path / "one" / "run", max_epochs=2, models_dir=library.folder)
    assert {entry.model_id for entry in library.list()} == ids
