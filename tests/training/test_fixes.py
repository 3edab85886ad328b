"""A run is trained on fixed sounds, records the fixes, and resumes with them."""

import threading
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.sound_fix import SoundFix
from distill.events import Event, PreparationProgress
from distill.models import open_model
from distill.runs.run_record import RunRecord
from distill.training import resume_run, train
from distill.training.data.epoch_batches import EpochBatches
from distill.training.dataset import FeatureDataset
from tests.training.conftest import QUICK

pytestmark = pytest.mark.usefixtures("_small_runs")


def test_a_run_has_its_fixes_and_resumes_with_them(
    sounds: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixes = {
        sounds[0]: SoundFix(weight=0.5), sounds[1]: SoundFix(hum_hz=50.0), sounds[2]: SoundFix(leaves_out=True),
    }  # fmt: skip
    config, given = replace(QUICK, max_epochs=2), sounds[:6]
    plain = train(config, given, tmp_path / "plain", "cpu")
    whole = train(config, given, tmp_path / "whole", "cpu", fixes=fixes)
    assert whole["metrics_history"].epochs[0].train_loss != plain["metrics_history"].epochs[0].train_loss
    train(replace(config, max_epochs=1), given, tmp_path / "part", "cpu", fixes=fixes)
    record = RunRecord.load(tmp_path / "part")
    cache = SoundCache()
    assert record.fixes == {cache.content_hash(path): fix for path, fix in fixes.items()}
    assert sounds[2] not in record.file_paths
    assert any("left out" in note and "your files stay" in note for note in record.notes)
    used: list[dict[str, SoundFix]] = []
    original = SoundCache.__init__

    def spy(self: SoundCache, *arguments: Any, **named: Any) -> None:
        used.append(dict(named.get("fixes") or {}))
        original(self, *arguments, **named)

    monkeypatch.setattr(SoundCache, "__init__", spy)
    resume_run(tmp_path / "part", max_epochs=2)
    assert record.fixes.items() <= max(used, key=len).items()


def test_fixes_are_on_record_before_the_sounds_are_read(sounds: list[Path], tmp_path: Path) -> None:
    """A run that is killed while it reads them starts again with its fixes."""
    fix, found = SoundFix(weight=0.5), list[Any]()

    def look(event: Event) -> None:
        if isinstance(event, PreparationProgress) and event.stage == "Reading sounds" and not found:
            found.append(RunRecord.load(tmp_path / "run").fixes)

    train(replace(QUICK, max_epochs=1), sounds[:6], tmp_path / "run", "cpu", look, fixes={sounds[0]: fix})
    assert found == [{SoundCache().content_hash(sounds[0]): fix}]


def test_a_run_that_is_stopped_while_its_fixes_are_found_has_them_later(sounds: list[Path], tmp_path: Path) -> None:
    """They are known by the content of their files, which has to be read first."""
    fixes = {sounds[0]: SoundFix(weight=0.5), sounds[1]: SoundFix(leaves_out=True)}
    stop = threading.Event()
    stop.set()
    config = replace(QUICK, max_epochs=1)
    assert train(config, sounds[:6], tmp_path / "run", "cpu", None, stop, fixes=fixes)["outcome"] == "stopped"
    assert resume_run(tmp_path / "run")["outcome"] == "finished"
    record, cache = RunRecord.load(tmp_path / "run"), SoundCache()
    assert record.fixes == {cache.content_hash(path): fix for path, fix in fixes.items()}
    assert sounds[1] not in record.file_paths
    assert not record.wanted_fixes


def test_a_weight_halves_how_often_a_sound_is_drawn() -> None:
    owner = np.repeat(np.arange(4), 10)
    batches = EpochBatches(40, 8, 1, owner, weights=np.array([0.5, 1.0, 1.0, 1.0]))
    drawn = np.concatenate([np.concatenate(batches.batches_of(epoch)) for epoch in range(50)])
    counts = np.bincount(owner[drawn.astype(int)], minlength=4)
    assert abs(counts[0] - 40 * 50 / 7) <= 50  # one more or less an epoch
    even = EpochBatches(40, 8, 1, owner)
    assert EpochBatches(40, 8, 1, owner, weights=None).batches_of(3) == even.batches_of(3)


def test_an_epoch_that_holds_nothing_of_a_sound_that_counts_less_is_drawn() -> None:
    """Two copies of one chunk each: in most epochs one of them is not drawn."""
    owner = np.arange(2)
    batches = EpochBatches(2, 2, 1, owner, weights=np.array([0.01, 1.0]))
    assert all(len(np.concatenate(batches.batches_of(epoch))) == 2 for epoch in range(20))
    few = EpochBatches(4, 2, 1, np.arange(4), weights=np.array([0.25, 0.25, 0.25, 0.25]))
    assert all(len(np.concatenate(few.batches_of(epoch))) == 4 for epoch in range(20))


def test_copies_count_as_one_in_the_prior(sounds: list[Path], tmp_path: Path) -> None:
    config = replace(QUICK, max_epochs=2, regularization=replace(QUICK.regularization, augmentation_expansion=0))
    (tmp_path / "copies").mkdir()
    given = [*sounds[:6], *(tmp_path / "copies" / f"{number}.wav" for number in range(3))]
    for path in given[6:]:
        copyfile(sounds[0], path)
    fixes = {path: SoundFix(weight=0.25) for path in (sounds[0], *given[6:])}
    train(config, given, tmp_path / "run", "cpu", fixes=fixes)
    anchors = _anchors(tmp_path / "run")
    assert len({tuple(row) for row in anchors.tolist()}) == len(anchors)
    # A run of an older version has an anchor for each copy, and goes on with them.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureDataset, "counted_sounds", 9)
        train(replace(config, max_epochs=1), given, tmp_path / "older", "cpu", fixes=fixes)
    resume_run(tmp_path / "older", max_epochs=2)
    assert len(_anchors(tmp_path / "older")) == 9


def _anchors(run: Path) -> Tensor:
    prior = open_model(run / "model.distill").prior
    assert prior is not None
    return prior.anchors
