"""The training sound that is nearest to a new one."""

import pytest
import torch
from torch import Tensor

from distill.models.latent_space.descriptors import describe_patches
from distill.models.nearest_training_sound import SoundIndex


def sounds(count: int, seed: int = 0, frames: int = 94) -> Tensor:
    """Features of sounds that differ in where their energy lies and how it fades."""
    generator = torch.Generator().manual_seed(seed)
    band = torch.rand(count, 1, 1, 1, generator=generator) * 128
    fade = 2 + torch.rand(count, 1, 1, 1, generator=generator) * 60
    bands, time = torch.arange(128)[:, None], torch.arange(frames)
    return 2 - (bands - band).abs() / 20 - time / fade


def test_a_training_sound_finds_itself_at_any_level() -> None:
    features = sounds(20)
    index = SoundIndex.build(features, torch.arange(20))
    for level in (0.0, -0.5):
        found = index.nearest(features + level)
        assert found.owner.tolist() == list(range(20))
        assert float(found.newness.max()) < 0.05


def test_new_sounds_are_as_new_as_training_sounds_are_to_each_other() -> None:
    index = SoundIndex.build(sounds(100), torch.arange(100))
    newness = index.nearest(sounds(100, seed=1)).newness
    assert 0.3 < float(newness.mean()) < 0.7
    assert float(index.nearest(torch.full((1, 1, 128, 94), -3.0) + torch.eye(128)[:, :94]).newness) > 0.9


def test_chunks_of_one_file_do_not_make_it_common() -> None:
    """Nineteen chunks of one file, all alike, and ten other files: the distance between files is what is usual."""
    features = torch.cat([sounds(1).expand(19, -1, -1, -1), sounds(10, seed=1)])
    owner = torch.cat([torch.zeros(19), torch.arange(1, 11)])
    index = SoundIndex.build(features, owner)
    assert float(index.usual[0]) > 0
    assert bool((index.usual.diff() >= 0).all())
    assert float(index.alone[:19].amin()) == float(index.alone[:19].amax()) > 0


def test_a_copy_is_known_by_how_near_its_original_is_to_others() -> None:
    features = sounds(30)
    index = SoundIndex.build(features, torch.arange(30))
    assert float(index.nearest(features + 0.001).relative.amax()) < 0.1
    # Each training sound is to the others what a new one is that is as far away as they are.
    apart = torch.cdist(describe_patches(features), describe_patches(features)).fill_diagonal_(torch.inf).amin(1)
    torch.testing.assert_close(index.alone, apart)


def test_two_strokes_of_one_drum_do_not_let_copies_of_them_through() -> None:
    features = sounds(30)
    strokes = torch.cat([features, features[:1] + 0.01])
    index = SoundIndex.build(strokes, torch.arange(31))
    found = index.nearest(features[:1] + 0.015 * sounds(1, seed=7))
    assert float(found.distance) > float(index.alone[0])  # farther than the strokes are from each other
    assert float(found.relative) < 0.15


def test_one_file_has_no_usual_distance_and_nothing_is_a_copy_of_it() -> None:
    index = SoundIndex.build(sounds(3), torch.zeros(3))
    assert float(index.usual.amax()) == 0.0
    assert bool(index.nearest(sounds(3)).relative.isinf().all())


def test_an_index_of_an_older_file_opens() -> None:
    state = SoundIndex.build(sounds(4), torch.arange(4)).state_dict()
    del state["alone"]
    assert float(SoundIndex.of_state(state).nearest(sounds(4)).distance.amax()) < 0.1


@pytest.mark.parametrize("frames", [1, 20, 94, 200])
def test_sounds_of_another_length_are_compared_by_their_beginning(frames: int) -> None:
    index = SoundIndex.build(sounds(10), torch.arange(10))
    found = index.nearest(sounds(10, frames=frames))
    assert bool(torch.isfinite(found.distance).all())
    if frames >= 94:
        assert found.owner.tolist() == list(range(10))


def test_a_state_says_its_sizes() -> None:
    index = SoundIndex.build(sounds(10), torch.arange(10))
    again = SoundIndex.of_state(index.state_dict())
    assert torch.equal(again.nearest(sounds(4, 1)).distance, index.nearest(sounds(4, 1)).distance)
    assert describe_patches(sounds(1)).shape[1] == index.described.shape[1]
    with pytest.raises((AttributeError, KeyError, RuntimeError, TypeError, ValueError)):
        SoundIndex.of_state({"described": torch.zeros(3)})
