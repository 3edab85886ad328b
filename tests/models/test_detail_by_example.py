"""Detail by example: what is added, from where, and how large the store is."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from distill.models.detail_by_example import DetailStore, bytes_per_chunk

BANDS, FRAMES = 32, 40


def corpus(count: int, channels: int = 1, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Smooth reconstructions, features with a grain that depends on the level, and owners."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, channels, 4, 5, generator=generator)
    smooth = functional.interpolate(coarse, (BANDS, FRAMES), mode="bilinear", align_corners=True)
    grain = 0.3 * torch.randn(count, channels, BANDS, FRAMES, generator=generator) * (1 + smooth.tanh())
    return smooth + grain, smooth, torch.arange(count)


def test_a_known_reconstruction_gets_its_own_residual_back() -> None:
    features, smooth, owner = corpus(12)
    store = DetailStore.build(features, smooth, owner)
    restored = store.add(smooth)
    before, after = (float((x - features).abs().mean()) for x in (smooth, restored))
    assert after < 0.1 * before  # what is left is the step of the 8-bit numbers


def test_an_excluded_sound_gives_nothing() -> None:
    features, smooth, owner = corpus(12)
    store = DetailStore.build(features, smooth, owner)
    restored = store.add(smooth, exclude=owner)
    assert float((restored - features).abs().mean()) > float((smooth - features).abs().mean()) * 0.5
    others = DetailStore.build(features[1:], smooth[1:], owner[1:])
    # The axes of the keys differ a little, so nearly all patches agree with those of a store without the sound.
    agreeing = (store.add(smooth[:1], exclude=owner[:1]) - others.add(smooth[:1])).abs() < 0.05
    assert float(agreeing.float().mean()) > 0.5


def test_the_main_sound_can_be_spared() -> None:
    features, smooth, owner = corpus(12)
    store = DetailStore.build(features, smooth, owner)
    spared = store.add(smooth, spare_main=True)
    assert torch.equal(spared[:1], store.add(smooth[:1], exclude=owner[:1]))
    assert float((spared - features).abs().mean()) > 2 * float((store.add(smooth) - features).abs().mean())


def test_a_store_of_one_sound_still_has_detail_for_it() -> None:
    features, smooth, _ = corpus(1)
    store = DetailStore.build(features, smooth, torch.zeros(1))
    assert not torch.equal(store.add(smooth, exclude=torch.zeros(1)), smooth)


def test_the_amount_scales_the_detail() -> None:
    features, smooth, owner = corpus(6)
    store = DetailStore.build(features, smooth, owner)
    assert torch.equal(store.add(smooth, 0.0), smooth)
    half, whole = store.add(smooth, 0.5) - smooth, store.add(smooth, 1.0) - smooth
    assert torch.allclose(2 * half, whole, atol=1e-5)


def test_detail_gives_unknown_sounds_the_grain_of_the_corpus() -> None:
    features, smooth, owner = corpus(40)
    unknown, blurred, _ = corpus(8, seed=1)
    restored = DetailStore.build(features, smooth, owner).add(blurred)
    grains = [float((x - blurred).std()) for x in (unknown, restored)]
    assert 0.5 * grains[0] < grains[1] < 1.2 * grains[0]


@pytest.mark.parametrize("frames", [1, 7, 8, 40, 41, 100])
def test_any_number_of_frames(frames: int) -> None:
    features, smooth, owner = corpus(6, channels=2)
    store = DetailStore.build(features, smooth, owner)
    asked = smooth[:2, :, :, :1].expand(-1, -1, -1, frames).contiguous()
    assert store.add(asked).shape == asked.shape
    assert bool(torch.isfinite(store.add(asked)).all())


def test_training_sounds_are_recognized() -> None:
    features, smooth, owner = corpus(12)
    store = DetailStore.build(features, smooth, owner + 3)
    assert store.owners_of(smooth).tolist() == (owner + 3).tolist()
    _, other, _ = corpus(12, seed=1)
    assert store.owners_of(other).tolist() == [-1] * 12
    assert store.owners_of(smooth[..., :24]).tolist() == [-1] * 12


def test_a_state_says_its_sizes_and_has_the_size_that_was_announced() -> None:
    features, smooth, owner = corpus(5, channels=2)
    store = DetailStore.build(features, smooth, owner)
    again = DetailStore.of_state(store.state_dict())
    assert torch.equal(again.add(smooth), store.add(smooth))
    stored = sum(store.state_dict()[key].nbytes for key in ("residual", "keys"))
    assert stored == 5 * bytes_per_chunk(2, BANDS, FRAMES)
    with pytest.raises((KeyError, RuntimeError, TypeError, ValueError)):
        DetailStore.of_state({"residual": torch.zeros(2, 2)})


def test_a_small_file_makes_no_large_store() -> None:
    state = DetailStore(1, 1, 16, 16).state_dict()
    state["residual"] = torch.zeros(1, 10**9, 0, 16, dtype=torch.int8)
    with pytest.raises(ValueError, match="sizes"):
        DetailStore.of_state(state)
