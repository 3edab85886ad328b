"""Small real material for the engine: sounds, settings, and runs that are quick on two cores."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.audio.io import SAMPLE_RATE, write_wav
from distill.models.catalog import FAMILIES, family_info
from distill.training.config import AnyConfig

MakeConfig = Callable[..., AnyConfig]


def tone(seed: int, seconds: float = 0.8) -> Any:
    """A decaying harmonic tone with a little noise, different for each seed."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 80 * 2 ** rng.uniform(0, 4)
    partials = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 6))
    sound = (partials + 0.05 * rng.standard_normal(t.size)) * np.exp(-t * rng.uniform(2, 8))
    return (sound / np.abs(sound).max()).astype(np.float32)


def write_sounds(folder: Path, count: int) -> list[Path]:
    """Write sounds of 0.8 s into a folder; the fourth is of two and a half seconds."""
    folder.mkdir(exist_ok=True)
    files = []
    for n in range(count):
        files.append(folder / f"tone {n:02d}.wav")
        write_wav(files[-1], tone(n, 2.5 if n == 3 else 0.8))
    return files


@pytest.fixture
def sounds(tmp_path: Path) -> list[Path]:
    """Ten files, one of them of two and a half seconds."""
    return write_sounds(tmp_path / "sounds", 10)


@pytest.fixture(params=[row.key for row in FAMILIES])
def family_key(request: pytest.FixtureRequest) -> str:
    """Each family: what the engine promises, it promises for all of them."""
    return str(request.param)


@pytest.fixture
def make_config(family_key: str) -> MakeConfig:
    """Return a function that makes a quick configuration of the family, with changes."""

    def make(**changes: Any) -> AnyConfig:
        info = family_info(family_key)
        base = info.adaptive_config(10)
        regularization = replace(base.regularization, augmentation_expansion=2)
        quick: dict[str, Any] = {
            "max_epochs": 3,
            "batch_size": 4,
            "checkpoint_interval": 1,
            "precision": "float32",
            "num_threads": 1,
            "val_fraction": 0.2,
            "regularization": regularization,
        }
        return replace(base, **(quick | changes))

    return make
