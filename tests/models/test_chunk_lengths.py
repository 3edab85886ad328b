"""New sounds and versions of sounds with chunks that are not a second long, and with other hops."""

from typing import Any

import pytest
import torch

from distill.config.training import ComplexSpectrogramConfig
from distill.generation.transform import transform
from distill.models.synthesis.window_blend import half_step, window_count
from tests.support.models import tone_model
from tests.training.conftest import tone

RATE = 48_000
#: Families and settings; in the first two half a window of frames is shorter than half a chunk.
GEOMETRIES: list[tuple[str, dict[str, Any]]] = [
    ("vae", {"chunk_duration_s": 0.5}),
    ("complex_vae", {"network_width": 8, "complex_spectrogram": ComplexSpectrogramConfig(hop_length=1024)}),
    ("vqvae", {"chunk_duration_s": 0.3}),
    ("vae", {"chunk_duration_s": 2.0}),
]


@pytest.fixture(scope="module", params=GEOMETRIES, ids=["vae 0.5 s", "complex_vae hop 1024", "vqvae 0.3 s", "vae 2 s"])
def model(request: pytest.FixtureRequest) -> Any:
    family, settings = request.param
    return tone_model(family, **settings)


@pytest.mark.parametrize("seconds", [0.1, 3.97, 7.0])
def test_new_sounds_have_the_length_that_is_requested(model: Any, seconds: float) -> None:
    (generated,) = model.generate(1, seed=1, seconds=seconds)
    assert generated.shape == (1, round(seconds * RATE))


def test_new_sounds_have_lengths_of_the_corpus(model: Any) -> None:
    assert len(model.generate(12, seed=1)) == 12


def test_versions_of_a_sound_have_its_length(model: Any) -> None:
    sound, other = torch.from_numpy(tone(3, 2.97))[None], torch.from_numpy(tone(4, 1.1))[None]
    versions = [
        *model.vary(sound, 1, 0.5, seed=1), model.repaint(sound, 0.9, 1.7, seed=1),
        model.morph(sound, other, 3)[0], model.reconstruct(sound[None])[0], transform(model, sound[None])[0],
    ]  # fmt: skip
    assert [version.shape for version in versions] == [sound.shape] * 5
    assert model.extend(sound, 0.9, seed=1).shape[-1] == sound.shape[-1] + round(0.9 * RATE)


@pytest.mark.parametrize("seconds", [0.25, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 8.0])
def test_windows_cover_sounds_of_all_lengths(seconds: float) -> None:
    synth = tone_model("vae", chunk_duration_s=seconds).synthesizer
    for samples in range(4_800, 30 * RATE, 997):
        windows = synth.windows_in(samples / synth.chunk)
        covered = (windows - 1) * half_step(synth.frames) + synth.frames
        assert covered >= synth.frames_of(samples)
        if seconds == 1.0:
            assert windows == window_count(samples / synth.chunk), "draws of the default geometry stay as they are"
