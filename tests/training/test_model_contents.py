"""What a model file says of the sounds of its run."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.audio.export import write_wav
from distill.config.training import TrainingConfig
from distill.models.families import make_family
from distill.training.dataset import FeatureDataset
from distill.training.ending import model_contents
from distill.training.ending.model_contents import map_entries  # other tests leave it out
from tests.training.conftest import tone


def test_the_map_knows_where_chunks_begin_in_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A click on a dot played the beginning of the file, where the sound was a part behind silence."""
    line = np.zeros(8 * SAMPLE_RATE, np.float32)
    for number, begin in enumerate((0.5, 3.0, 6.0)):
        hit = tone(number, 0.8)
        line[round(begin * SAMPLE_RATE) :][: len(hit)] = hit
    write_wav(tmp_path / "hits.wav", line)
    write_wav(tmp_path / "other.wav", tone(7, 0.8))
    cache, family = SoundCache(), make_family(TrainingConfig(latent_dim=4))
    hits, other = (cache.get(tmp_path / name) for name in ("hits.wav", "other.wav"))
    data: Any = SimpleNamespace(train_set=FeatureDataset([hits], family), val_set=FeatureDataset([other], family))
    monkeypatch.setattr(model_contents, "fit_analysis", lambda *_: None)
    torch.manual_seed(0)
    shown = map_entries(family, family.build().eval(), data)["map"]
    assert shown["starts"].tolist() == pytest.approx([0.5, 3.0, 6.0, 0.0], abs=0.05)
