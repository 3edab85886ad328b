"""The same seed by the models of several runs."""

import shutil
from pathlib import Path

import pytest

from distill.errors import DistillError
from distill.generation import new_sounds
from distill.generation.audition_samples import same_seed_samples
from tests.support.models import write_tone_model


def test_each_run_makes_the_sounds_of_the_seed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [tmp_path / name for name in ("first", "second", "without a model")]
    for run in runs:
        run.mkdir()
    shutil.move(write_tone_model(tmp_path, latent_dim=4, tones=2), runs[0] / "model.distill")
    shutil.copyfile(runs[0] / "model.distill", runs[1] / "model.distill")
    (sound,) = same_seed_samples(runs, seed=5, count=1)
    first, second, third = sound.files
    assert third is None
    assert first is not None
    assert second is not None
    assert first != second
    assert first.read_bytes() == second.read_bytes()  # the same model, the same seed

    def fail(*_arguments: object) -> None:
        raise AssertionError("a sound that is there is made again")

    monkeypatch.setattr(new_sounds, "make_new", fail)
    assert same_seed_samples(runs, seed=5, count=1) == [sound]
    with pytest.raises(DistillError, match="no model yet"):
        same_seed_samples(runs[2:], seed=5, count=1)
