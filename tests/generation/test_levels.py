"""Level in is level out: through a transform, a reconstruction and codes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from distill.audio.export import export_sound
from distill.audio.export_options import ExportOptions
from distill.generation.recipe import MORPHED, Recipe
from distill.generation.transform import reconstruct_file, transform_file
from distill.generation.vary_morph_extend import VARIATIONS, varied_sounds
from distill.models import open_model
from tests.support.models import write_tone_model
from tests.training.conftest import tone


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tone_model(tmp_path_factory.mktemp("models"), latent_dim=16, tones=20)


@pytest.fixture(scope="module")
def model(model_file: Path) -> Any:
    return open_model(model_file)


LEVELS = [0.0, -6.0, -20.0, -40.0, -60.0]


@pytest.mark.parametrize("level_db", LEVELS)
@pytest.mark.parametrize("key", ["wav16", "wav24"])
def test_without_the_model_a_transform_returns_its_input(
    model: Any, model_file: Path, tmp_path: Path, level_db: float, key: str
) -> None:
    source = tmp_path / "in.wav"
    audio = np.clip(10 ** (level_db / 20) * tone(3), -1, 1 - 2.0**-15)
    soundfile.write(source, audio, 48_000, subtype="PCM_16")
    made = transform_file(model, model_file, source, 0.0)
    written = export_sound(tmp_path / "out.wav", made.audio, ExportOptions(key)).path
    before, after = (soundfile.read(path, dtype="float64")[0] for path in (source, written))
    assert before.shape == after.shape
    assert np.abs(before - after).max() <= 2.0**-15 * 1.0001


@pytest.mark.parametrize("level_db", LEVELS)
def test_a_model_keeps_the_level(model: Any, model_file: Path, tmp_path: Path, level_db: float) -> None:
    source = tmp_path / "in.wav"
    audio = 10 ** (level_db / 20) * tone(3)
    soundfile.write(source, audio, 48_000, subtype="PCM_24")
    loud = tmp_path / "loud.wav"
    soundfile.write(loud, tone(3), 48_000, subtype="PCM_24")
    for through in (transform_file, reconstruct_file):
        full = float(np.abs(through(model, model_file, loud).audio).max())
        found = float(np.abs(through(model, model_file, source).audio).max())
        # The steps of 24 bits, and the floor of the features, matter at -60 dB.
        assert 20 * np.log10(found / full) == pytest.approx(level_db, abs=0.2)


class Heard:
    """Stands in for a model: keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    def _keep(self, *arguments: Any) -> list[Any]:
        self.given += [argument for argument in arguments if isinstance(argument, torch.Tensor)]
        return [argument for argument in arguments if isinstance(argument, torch.Tensor)][:1]

    vary_each = morph_each = _keep

    def extend(self, *arguments: Any) -> Any:
        return self._keep(*arguments)[0]

    repaint = extend


@pytest.mark.parametrize("level_db", LEVELS)
@pytest.mark.parametrize("kind", VARIATIONS)
def test_what_is_made_from_a_sound_starts_from_its_samples(tmp_path: Path, kind: str, level_db: float) -> None:
    source, second = tmp_path / "in.wav", tmp_path / "second.wav"
    audio = np.clip(10 ** (level_db / 20) * tone(3), -1, 1 - 2.0**-23)
    soundfile.write(source, audio, 48_000, subtype="PCM_24")
    soundfile.write(second, audio / 2, 48_000, subtype="PCM_24")
    model = Heard()
    recipe = Recipe(kind, "a" * 32, source=str(source), second_source=str(second), seconds=1.0, end=0.1)
    list(varied_sounds(model, recipe))  # type: ignore[arg-type]
    expected = [audio, audio / 2] if kind == MORPHED else [audio]
    for given, wanted in zip(model.given, expected, strict=True):
        assert np.abs(given[0].numpy() - wanted).max() <= 2.0**-23
