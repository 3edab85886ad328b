"""A run is trained on fixed sounds, records the fixes, and resumes with them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.fixes import SoundFix
from distill.events import Event, PreparationProgress
from distill.runs.folder import RunRecord
from distill.training import resume_run, train
from distill.training.dataset import EpochBatches
from tests.training.conftest import QUICK

pytestmark = pytest.mark.usefixtures("_small_prior")


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


def test_a_weight_halves_how_often_a_sound_is_drawn() -> None:
    owner = np.repeat(np.arange(4), 10)
    batches = EpochBatches(40, 8, 1, owner, weights=np.array([0.5, 1.0, 1.0, 1.0]))
    drawn = np.concatenate([np.concatenate(batches.batches_of(epoch)) for epoch in range(50)])
    counts = np.bincount(owner[drawn.astype(int)], minlength=4)
    assert abs(counts[0] - 40 * 50 / 7) <= 50  # one more or less an epoch
    even = EpochBatches(40, 8, 1, owner)
    assert EpochBatches(40, 8, 1, owner, weights=None).batches_of(3) == even.batches_of(3)
