"""A run can start from a model or a checkpoint: weights, statistics, prior and split are taken, its origin recorded."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distill.config.factory import config_from_model
from distill.config.training import TrainingConfig, VQVAEConfig
from distill.errors import ConfigurationError, RunFolderError
from distill.events import Event
from distill.runs.checkpoint_folder import checkpoint_of
from distill.runs.run_record import RunRecord
from distill.training import list_checkpoints, resume_run, train
from distill.training.data.known_split import KnownSplit, split_of_chain
from distill.training.start_point import read_start
from tests.training.conftest import QUICK, RUN, Finished, failing, topics, write_sounds


def test_a_run_starts_from_a_model(done: Finished, tmp_path: Path) -> None:
    model = done.folder / "model.distill"
    start = read_start(model)
    more = write_sounds(tmp_path / "more", 14)  # the ten of before and four new ones
    assert start.split is not None
    contents = {Path(path).name: item["content"] for path, item in RunRecord.load(done.folder).fingerprints.items()}
    learnt = [path for path in more if contents.get(path.name, "")[:16] in start.split.trained]
    more.remove(learnt[0])  # the model knows it all the same
    config = config_from_model(replace(RUN, max_epochs=1, learning_rate=1e-7), start.config)
    events: list[Event] = []
    result = train(config, more, tmp_path / "run", "cpu", events.append, start_from=model, model_name="more bells")
    assert torch.allclose(result["model"].feature_mean, start.weights["feature_mean"])
    assert torch.allclose(
        result["model"].state_dict()["encoder.posterior.weight"], start.weights["encoder.posterior.weight"], atol=1e-4
    )
    record, before = RunRecord.load(tmp_path / "run"), RunRecord.load(done.folder)
    assert record.origin is not None
    assert (record.origin["kind"], record.origin["name"]) == ("model", "Little bells")
    assert "the model Little bells" in record.origin_text
    assert "origin" in topics(events)
    old, new = KnownSplit.from_dict(before.split), split_of_chain(record)
    assert old is not None
    assert new is not None
    assert old.held_out <= new.held_out
    assert old.trained <= new.trained
    assert old.held_out
    assert read_start(tmp_path / "run" / "model.distill").split == new
    resumed = resume_run(tmp_path / "run", max_epochs=2)
    assert len(resumed["metrics_history"].epochs) == 2
    assert RunRecord.load(tmp_path / "run").split == record.split


def test_a_checkpoint_is_forked_with_other_settings(done: Finished, tmp_path: Path) -> None:
    epoch = list_checkpoints(done.folder / "checkpoints")[0]["epoch"]
    file = checkpoint_of(done.folder, epoch + 1)
    start = read_start(file)
    other = config_from_model(replace(QUICK, max_epochs=1, seed=7, free_bits=0.2), start.config)
    train(other, done.sounds, tmp_path / "fork", "cpu", start_from=file)
    record = RunRecord.load(tmp_path / "fork")
    assert record.origin is not None
    assert (record.origin["kind"], record.origin["epoch"]) == ("checkpoint", epoch + 1)
    assert record.origin["path"] == str(file.absolute())
    before = RunRecord.load(done.folder)
    assert record.split == before.split
    assert set(start.sounds) >= set(done.sounds)


@pytest.mark.parametrize("number", range(2))
def test_a_fork_has_previews_of_the_same_sounds(done: Finished, tmp_path: Path, number: int) -> None:
    """One compares by ear, so the sounds that are heard stay the same: whatever order they have in the new run."""
    before = RunRecord.load(done.folder)
    split = KnownSplit.from_dict(before.split)
    assert split is not None
    content = {path: before.fingerprints[str(path)]["content"][:16] for path in before.file_paths[: len(done.sounds)]}
    tested = [path for path in content if content[path] in split.held_out]
    learnt = [path for path in content if content[path] in split.trained]
    before.preview_sounds = [tested[-number], learnt[-number]]
    before.split = {key: value for key, value in (before.split or {}).items() if key != "previewed"}  # an older run
    folder = shutil.copytree(done.folder, tmp_path / "before")
    before.save(folder)
    file = checkpoint_of(folder, list_checkpoints(folder / "checkpoints")[0]["epoch"] + 1)
    config = config_from_model(replace(QUICK, max_epochs=1), read_start(file).config)
    train(config, done.sounds, tmp_path / "fork", "cpu", start_from=file)
    assert RunRecord.load(tmp_path / "fork").preview_sounds == before.preview_sounds
    train(config, done.sounds, tmp_path / "third", "cpu", start_from=tmp_path / "fork" / "model.distill")
    assert RunRecord.load(tmp_path / "third").preview_sounds == before.preview_sounds, "the model says so, too"


def test_what_does_not_fit_is_refused_in_a_sentence(done: Finished, tmp_path: Path) -> None:
    model = done.folder / "model.distill"
    other = replace(QUICK, latent_dim=8)
    error = failing([], other, done.sounds, tmp_path / "run", "cpu", start_from=model)
    assert str(error).startswith("Dimensions of the model is 16, so a run from it cannot have 8.")
    assert not (tmp_path / "run" / "checkpoints").exists()
    with pytest.raises(ConfigurationError, match="of the family Mel VAE"):
        config_from_model(VQVAEConfig(), TrainingConfig())
    taken = config_from_model(TrainingConfig(latent_dim=8), TrainingConfig(latent_dim=16), ("learning_rate",))
    assert (taken.latent_dim, taken.kl_warmup_fraction) == (16, 0.0)  # type: ignore[union-attr]
    with pytest.raises(RunFolderError, match="no checkpoint of epoch 99; it has those of the epochs"):
        checkpoint_of(done.folder, 99)
    with pytest.raises(RunFolderError, match="one file"):
        checkpoint_of(model, 1)
