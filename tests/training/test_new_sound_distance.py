"""The distance of new sounds from the corpus while a model trains."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn import functional

from distill.events import EpochMetrics, VQEpochMetrics
from distill.models.latent_space.descriptors import describe_texture
from distill.models.model_parts import build_detail
from distill.models.priors.window_prior import WindowPrior
from distill.training import train
from distill.training.steps import new_sound_distance
from distill.training.steps.new_sound_distance import NewSoundMeter, is_due, kernel_distance
from tests.training.conftest import RUN, Finished, MakeConfig, write_sounds

#: What users get; runs of the other tests of this folder draw fewer.
MEASURES = new_sound_distance._MEASURES


def epochs(*distances: float | None) -> list[EpochMetrics]:
    values = enumerate(distances)
    return [EpochMetrics(n, 9, 0.5, 0.5, 0.5, 0.1, 9.0, 0.0, 1e-3, 1, 1, new_sound_distance=x) for n, x in values]


@pytest.mark.parametrize(
    ("known", "steps", "is_last", "due"),
    [
        ((), 240, False, True),  # one epoch is enough steps
        ((), 60, False, False),
        ((None, None, None), 60, False, True),
        ((None, None, 30.0), 60, False, False),
        ((None, 30.0, None, None, None), 60, False, True),
        ((), 1, True, True),
    ],
)
def test_it_is_measured_as_often_as_it_is_cheap(
    known: tuple[float | None, ...], steps: int, is_last: bool, due: bool
) -> None:
    assert is_due(epochs(*known), steps, is_last) is due


def test_a_run_measures_its_last_epoch(done: Finished) -> None:
    told = [event.new_sound_distance for event in done.told(EpochMetrics)]
    assert told[:-1] == [None] * (RUN.max_epochs - 1)  # an epoch of this run has few steps
    assert math.isfinite(told[-1])


def test_too_few_sounds_are_not_measured(make_config: MakeConfig, tmp_path: Path) -> None:
    told: list[Any] = []
    sounds = write_sounds(tmp_path / "sounds", 5)
    train(make_config(max_epochs=1), sounds, tmp_path / "run", "cpu", told.append)
    assert [event.new_sound_distance for event in told if isinstance(event, (EpochMetrics, VQEpochMetrics))] == [None]


class Network(torch.nn.Module):
    """Decodes a point to a picture of one column: its numbers are the levels of the bands."""

    latent_dim = 32


def family_and_sounds(features: torch.Tensor) -> tuple[Any, Any]:
    family = SimpleNamespace(
        prior_components=None,
        point_dim=lambda network: 32,
        from_points=lambda network, points: points[:, None, :, None].repeat(1, 1, 1, 16),
        reconstruct=lambda network, features: features,
    )
    count = len(features)

    class Sounds:
        layout = SimpleNamespace(sounds=[None] * count, chunks=count)
        offset = torch.zeros(count)

        def __getitem__(self, item: int) -> torch.Tensor:
            return features[item]

    return family, Sounds()


@pytest.mark.parametrize(("number", "drawn", "examples"), [(1, 128, 120), (2, 256, 60)])
def test_a_measure_draws_so_many_sounds(
    monkeypatch: pytest.MonkeyPatch, number: int, drawn: int, examples: int
) -> None:
    levels = torch.randn(120, 32, generator=torch.Generator().manual_seed(0))
    family, sounds = family_and_sounds(levels[:, None, :, None].repeat(1, 1, 1, 16))
    prior = WindowPrior(32, width=8, blocks=1)
    prior.flow.fit(levels, torch.zeros_like(levels))
    found: list[int] = []

    def count_examples(family: Any, model: Any, features: torch.Tensor, *others: Any) -> Any:
        found.append(len(features))
        return build_detail(family, model, features, *others)

    def count_drawn(given: torch.Tensor, corpus: torch.Tensor) -> float:
        found.append(len(given))
        return kernel_distance(given, corpus)

    monkeypatch.setattr(new_sound_distance, "_MEASURES", MEASURES)
    monkeypatch.setattr(new_sound_distance, "build_detail", count_examples)
    monkeypatch.setattr(new_sound_distance, "kernel_distance", count_drawn)
    NewSoundMeter(family, [sounds], number).measure(Network(), prior)
    assert found == [examples, drawn]


def test_a_prior_of_the_corpus_is_near_it_and_another_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_sound_distance, "_MEASURES", MEASURES)
    levels = torch.randn(120, 32, generator=torch.Generator().manual_seed(0))
    family, sounds = family_and_sounds(levels[:, None, :, None].repeat(1, 1, 1, 16))
    meter, network = NewSoundMeter(family, [sounds]), Network().train()
    near, far = WindowPrior(32, width=8, blocks=1), WindowPrior(32, width=8, blocks=1)
    near.flow.fit(levels, torch.zeros_like(levels))
    far.flow.fit(3 * levels + torch.linspace(-2, 2, 32), torch.zeros_like(levels))
    stream = torch.get_rng_state()
    assert meter.can_measure
    found = meter.measure(network, near), meter.measure(network, far)
    assert None not in found
    assert found[0] < 30 < found[1]  # type: ignore[operator]
    assert meter.measure(network, near) == meter.measure(network, near)
    assert network.training
    assert torch.equal(torch.get_rng_state(), stream), "nobody else's draws are changed"


def test_a_distance_below_zero_is_kept_and_one_that_is_no_number_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = torch.randn(20, 32, generator=torch.Generator().manual_seed(0))
    family, sounds = family_and_sounds(levels[:, None, :, None].repeat(1, 1, 1, 16))
    prior = WindowPrior(32, width=8, blocks=1)
    prior.flow.fit(levels, torch.zeros_like(levels))
    measured = []
    for distance in (-3.5, math.inf):
        monkeypatch.setattr(new_sound_distance, "kernel_distance", lambda given, reference, found=distance: found)
        measured.append(NewSoundMeter(family, [sounds]).measure(Network(), prior))
    assert measured == [-3.5, None]


def test_a_network_that_gives_no_numbers_has_no_distance() -> None:
    levels = torch.randn(20, 32, generator=torch.Generator().manual_seed(0))
    family, sounds = family_and_sounds(levels[:, None, :, None].repeat(1, 1, 1, 16))
    family.from_points = lambda network, points: torch.full((len(points), 1, 32, 16), torch.nan)
    prior = WindowPrior(32, width=8, blocks=1)
    prior.flow.fit(levels, torch.zeros_like(levels))
    assert NewSoundMeter(family, [sounds]).measure(Network(), prior) is None


# --- the distance between two sets of sounds: none between draws of one distribution, and no scale -----------


def draws(count: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)) + shift


def test_the_kernel_distance_is_unbiased_for_draws_of_one_distribution() -> None:
    found = torch.tensor([kernel_distance(draws(24, 2 * n), draws(32, 2 * n + 1)) for n in range(200)])
    assert abs(float(found.mean())) < 4 * float(found.std()) / len(found) ** 0.5
    assert found.min() < 0 < found.max()


def test_the_kernel_distance_grows_with_the_difference_and_has_no_scale() -> None:
    reference = draws(64, 0)
    near, far = (kernel_distance(draws(64, 1, shift), reference) for shift in (0.3, 1.0))
    assert 0 < near < far
    assert kernel_distance(7 * draws(64, 1, 0.3), 7 * reference) == pytest.approx(near)


def test_sounds_that_are_all_the_same_are_far_from_a_corpus() -> None:
    reference = draws(64, 0)
    assert kernel_distance(reference[:1].expand(64, -1), reference) > kernel_distance(draws(64, 1), reference) + 100


@pytest.mark.parametrize(("given", "reference"), [(1, 5), (5, 1)])
def test_one_sound_is_no_set(given: int, reference: int) -> None:
    with pytest.raises(ValueError, match="at least two rows"):
        kernel_distance(draws(given, 0), draws(reference, 1))


def test_a_number_that_never_changes_in_the_reference_counts_little() -> None:
    reference, given = draws(64, 0), draws(64, 1)
    more = [torch.cat([rows, torch.full((64, 1), 7.0)], 1) for rows in (given, reference)]
    assert kernel_distance(*more) == pytest.approx(kernel_distance(given, reference))
    more[0][:, -1] += 1e-6
    assert kernel_distance(*more) == pytest.approx(kernel_distance(given, reference), abs=0.1)


def features_of_sounds(seed: int) -> torch.Tensor:
    """Return features ``[48, 1, 128, 94]`` with broad shapes of their own and grain of one kind."""
    generator = torch.Generator().manual_seed(seed)
    shapes = functional.interpolate(torch.randn(48, 1, 6, 5, generator=generator), (128, 94), mode="bilinear")
    return shapes + 0.3 * torch.randn(48, 1, 128, 94, generator=generator)


def test_the_texture_tells_blurred_sounds_from_others() -> None:
    reference, others = (describe_texture(features_of_sounds(seed)) for seed in (0, 1))
    blurred = describe_texture(functional.avg_pool2d(features_of_sounds(1), 5, 1, 2))
    assert abs(kernel_distance(others, reference)) < 20
    assert kernel_distance(blurred, reference) > 200


def test_the_texture_does_not_go_by_the_level() -> None:
    features = features_of_sounds(0)
    assert torch.allclose(describe_texture(features + 2), describe_texture(features), atol=1e-5)
