"""The distance between two sets of sounds: no distance between draws of one distribution, and a scale of its own."""

import pytest
import torch
from torch.nn import functional

from distill.models.nearest_training_sound import describe_texture, kernel_distance


def draws(count: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)) + shift


def test_it_is_unbiased_for_draws_of_one_distribution() -> None:
    found = torch.tensor([kernel_distance(draws(24, 2 * n), draws(32, 2 * n + 1)) for n in range(200)])
    assert abs(float(found.mean())) < 4 * float(found.std()) / len(found) ** 0.5
    assert found.min() < 0 < found.max()


def test_it_grows_with_the_difference_and_has_no_scale() -> None:
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


def sounds(seed: int) -> torch.Tensor:
    """Return features ``[48, 1, 128, 94]`` with broad shapes of their own and grain of one kind."""
    generator = torch.Generator().manual_seed(seed)
    shapes = functional.interpolate(torch.randn(48, 1, 6, 5, generator=generator), (128, 94), mode="bilinear")
    return shapes + 0.3 * torch.randn(48, 1, 128, 94, generator=generator)


def test_the_texture_tells_blurred_sounds_from_others() -> None:
    reference, others = describe_texture(sounds(0)), describe_texture(sounds(1))
    blurred = describe_texture(functional.avg_pool2d(sounds(1), 5, 1, 2))
    assert abs(kernel_distance(others, reference)) < 20
    assert kernel_distance(blurred, reference) > 200


def test_the_texture_does_not_go_by_the_level() -> None:
    assert torch.allclose(describe_texture(sounds(0) + 2), describe_texture(sounds(0)), atol=1e-5)
