"""New sounds of any length, variations, morphs, continuations and repainted parts, for the families with a prior."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from distill.errors import ModelFileError
from distill.models.inference import OpenModel
from distill.models.model_parts import ModelParts
from distill.models.priors.window_prior import WindowPrior
from distill.models.synthesis import continuation, synthesizer
from distill.models.synthesis.synthesizer import audible_difference
from distill.models.synthesis.window_blend import blend, cut_windows
from tests.support.models import LENGTHS, tone_model
from tests.training.conftest import tone

RATE = 48_000


@pytest.fixture(scope="module", params=["vae", "vqvae"])
def model(request: pytest.FixtureRequest) -> Any:
    return tone_model(request.param)


def sound(seed: int, seconds: float, level: float = 1.0) -> Tensor:
    return level * torch.from_numpy(tone(seed, seconds))[None]


def difference(model: OpenModel, first: Tensor, second: Tensor) -> float:
    """Mean audible difference of two sounds of the same length."""
    both = [model.family.features(one[None] / one.abs().max()) for one in (first, second)]
    return float(audible_difference(*both))


def test_windows_that_agree_blend_into_what_they_were_cut_from() -> None:
    line = torch.randn(1, 3, 47 * 5)
    windows = torch.stack([line[..., 47 * k : 47 * k + 94] for k in range(4)])
    torch.testing.assert_close(blend(windows, 200), line[..., :200])
    assert cut_windows(torch.ones(1, RATE), 512, RATE, 94).shape == (1, 1, RATE)
    assert cut_windows(torch.ones(1, RATE + 12_000), 512, RATE, 94).shape == (2, 1, RATE)


class TestNewSounds:
    def test_have_lengths_like_those_of_the_corpus(self, model: Any) -> None:
        made = model.generate(24, seed=1)
        lengths = torch.tensor([one.shape[-1] / RATE for one in made])
        corpus = torch.tensor(LENGTHS)
        at = torch.cat([lengths, corpus])[:, None]
        apart = ((lengths <= at + 1e-4).float().mean(1) - (corpus <= at + 1e-4).float().mean(1)).abs().max()
        # Lengths between two of the corpus move its steps of 1/12.
        assert apart < 0.08 + 1 / len(LENGTHS) + 1 / 24

    def test_are_the_same_for_a_seed_and_begin_and_end_without_a_cut(self, model: Any) -> None:
        made, again = model.generate(10, seed=4), list(model.generate_each(10, seed=4))
        assert all(torch.equal(one, other) for one, other in zip(made, again, strict=True))
        assert not torch.equal(made[0], model.generate(1, seed=5)[0])
        for one in made:
            assert one.shape[0] == 1
            assert float(one.abs().max()) == pytest.approx(1.0, abs=1e-5)
            assert float(one[0, 0].abs()) < 0.05
            assert float(one[0, -1].abs()) < 0.01

    @pytest.mark.parametrize("seconds", [0.1, 1.0, 3.3])
    def test_have_the_length_that_is_requested(self, model: Any, seconds: float) -> None:
        assert [one.shape[-1] for one in model.generate(2, seed=1, seconds=seconds)] == [round(seconds * RATE)] * 2

    def test_are_no_longer_than_a_sound_can_be(self, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also of recordings that are longer; such sounds are drawn in another way than by older versions."""
        usual = model.synthesizer.drawing
        monkeypatch.setattr(synthesizer, "LONGEST_S", 0.4)
        assert max(one.shape[-1] for one in model.generate(8, seed=1)) == round(0.4 * RATE)
        assert model.synthesizer.drawing != usual

    def test_sample_gives_chunks(self, model: Any) -> None:
        made = model.sample(5, seed=2)
        assert made.shape == (5, 1, RATE)
        assert torch.equal(made, model.sample(5, seed=2))

    def test_freedom_leads_away_from_the_corpus(self, model: Any) -> None:
        """The distance to the nearest sound of the corpus, in what the prior describes sounds by."""
        prior = model.prior
        middle = []
        for freedom in (0.0, 0.25, 0.5, 1.0):
            generator = torch.Generator().manual_seed(0)
            totals, anchors = prior.draw_sounds(64, generator, freedom)
            drawn = prior.begin(totals, anchors, generator, freedom=freedom)
            apart = torch.cdist(prior.flow.whiten(drawn), prior.flow.whiten(prior.anchors))
            middle.append(float(apart.amin(1).median()))
        assert middle == sorted(middle)
        assert middle[0] < 0.7 * middle[2]

    def test_each_has_a_colour_of_its_own_that_grows_with_freedom_and_temperature(self, model: Any) -> None:
        """What differs from the sounds without colour, in decibels of the mean spectrum."""

        def spectra(plain: bool, **settings: float) -> Tensor:
            with pytest.MonkeyPatch.context() as patch:
                if plain:
                    patch.setattr(synthesizer, "SPREAD_DB", (0.0, 0.0, 0.0))
                made = model.generate(12, seed=6, seconds=0.5, detail=0.0, **settings)
            return 20 * torch.stack([model.family.features(one[None])[0, 0].mean(1) for one in made])

        def spread(**settings: float) -> float:
            apart = spectra(False, **settings) - spectra(True, **settings)
            return float((apart - apart.mean(1, keepdim=True)).std())

        usual = spread()
        assert usual > 3.0
        assert spread(freedom=0.0) < 0.6 * usual < spread(freedom=1.0)
        assert spread(temperature=0.3) < 0.6 * usual
        assert spread(temperature=0.0) == 0.0

    @pytest.mark.parametrize(
        "wrong", [{"seconds": 0.05}, {"seconds": 31.0}, {"freedom": 1.1}, {"detail": -0.1}, {"temperature": 5.0}]
    )
    def test_numbers_out_of_range_are_refused(self, model: Any, wrong: dict[str, float]) -> None:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            model.generate(1, seed=1, **wrong)


class TestVariations:
    def test_lie_farther_away_the_stronger_they_are(self, model: Any) -> None:
        source = sound(3, 0.9)
        strengths = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
        found = torch.tensor([
            [difference(model, source, one) for one in model.vary(source, 3, strength, seed=1)]
            for strength in strengths
        ]).mean(1)  # fmt: skip
        ranks = found.argsort().argsort().double()
        assert float(torch.corrcoef(torch.stack([ranks, torch.arange(len(strengths)).double()]))[0, 1]) >= 0.9
        assert found[-1] > 1.5 * found[0]

    def test_strength_0_is_the_copy_of_the_model(self, model: Any) -> None:
        source = sound(3, 1.0, level=0.3)
        (copy,) = model.vary(source, 1, 0.0, seed=1)
        assert difference(model, copy, model.reconstruct(source[None])[0]) < 0.1
        assert float(copy.abs().max()) == pytest.approx(0.3, rel=1e-4)

    def test_are_as_long_and_depend_on_seed_and_number_alone(self, model: Any) -> None:
        source = sound(5, 1.7)
        three, one = model.vary(source, 3, 0.5, seed=7), model.vary(source, 1, 0.5, seed=7)
        assert [part.shape for part in three] == [source.shape] * 3
        torch.testing.assert_close(three[0], one[0], rtol=0, atol=1e-3)
        assert not torch.allclose(three[0], three[1], atol=1e-2)

    @pytest.mark.parametrize(
        ("waveform", "strength", "complaint"),
        [
            (torch.zeros(1, 100), 0.5, "silent"),
            (torch.full((1, 100), torch.nan), 0.5, "not numbers"),
            (torch.ones(2, 100), 0.5, "mono"),
            (torch.ones(1, 100), 1.5, "strength"),
        ],
    )
    def test_what_cannot_be_used_is_refused(
        self, model: Any, waveform: Tensor, strength: float, complaint: str
    ) -> None:
        with pytest.raises(ValueError, match=complaint):
            model.vary(waveform, 1, strength)


def test_a_morph_goes_in_even_steps_from_copy_to_copy(model: Any) -> None:
    first, second = sound(2, 0.6, level=0.5), sound(9, 1.0)
    steps = model.morph(first, second, 6)
    lengths = [one.shape[-1] for one in steps]
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (first.shape[-1], second.shape[-1])
    assert difference(model, steps[-1], model.vary(second, 1, 0.0)[0]) < 0.1
    padded = [torch.nn.functional.pad(one, (0, RATE - one.shape[-1])) for one in steps]
    apart = [difference(model, one, other) for one, other in pairwise(padded)]
    if model.family.key == "vae":  # codes of a small codebook change in jumps, wherever the steps are placed
        assert max(apart) < 3 * min(apart)
    assert max(apart) < 0.75 * sum(apart)
    with pytest.raises(ValueError, match="steps"):
        model.morph(first, second, 1)


def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, float, float]]:
    """Return a list that gets what the prior is asked for: whether it knows the window before, length, place."""
    asked: list[tuple[bool, float, float]] = []
    draw = WindowPrior.draw

    def watch(self: WindowPrior, previous: Any, total: Tensor, offset: float, *rest: Any) -> Tensor:
        asked.append((previous is not None, float(total[0]), offset))
        return draw(self, previous, total, offset, *rest)

    monkeypatch.setattr(WindowPrior, "draw", watch)
    return asked


class TestContinuation:
    @pytest.mark.parametrize("length", [0.4, 1.3])
    def test_an_extended_sound_keeps_its_samples_and_goes_on(self, model: Any, length: float) -> None:
        source = 0.5 * torch.sin(2 * torch.pi * 220 * torch.arange(round(length * RATE)) / RATE)[None]
        longer = model.extend(source, 0.8, seed=1)
        assert longer.shape == (1, source.shape[-1] + round(0.8 * RATE))
        torch.testing.assert_close(longer[:, : source.shape[-1]], source, rtol=0, atol=1e-6)
        at = source.shape[-1]
        steps = longer[0].diff().abs()
        assert float(steps[at - 1]) <= max(float(steps[: at - 1].max()), float(steps[at + 200 :].max()))
        assert torch.equal(longer, model.extend(source, 0.8, seed=1))

    @pytest.mark.parametrize("length", [0.3, 0.8, 1.0, 1.1, 2.0])
    def test_what_is_drawn_goes_on_from_the_sound(
        self, model: Any, length: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The window before, the place in the sound and the whole length are what the prior goes by."""
        asked = watched(monkeypatch)
        model.extend(sound(4, length), 2.0, seed=1)
        assert [total for _, total, _ in asked] == pytest.approx([length + 2.0] * len(asked))
        offsets = [offset for _, _, offset in asked]
        assert 0 <= offsets[0] <= length, "the first window holds the end of the sound"
        assert length + 1.0 <= offsets[-1] + 0.5 <= length + 2.0, "the last one holds the end that was asked for"
        assert [has for has, _, _ in asked] == [offsets[0] > 0] + [True] * (len(asked) - 1)

    def test_what_is_repainted_goes_on_from_what_is_before(self, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = watched(monkeypatch)
        model.repaint(sound(4, 3.0), 1.6, 2.2, seed=2)
        assert all(has for has, _, _ in asked)
        assert asked[0][2] == pytest.approx(1.6 - 0.5, abs=0.1)

    def test_repainting_changes_the_part_and_nothing_else(self, model: Any) -> None:
        source = sound(4, 2.0)
        made = model.repaint(source, 0.5, 1.1, seed=2)
        low, high = round(0.5 * RATE), round(1.1 * RATE)
        torch.testing.assert_close(made[:, :low], source[:, :low], rtol=0, atol=1e-6)
        torch.testing.assert_close(made[:, high:], source[:, high:], rtol=0, atol=1e-6)
        assert not torch.allclose(made[:, low:high], source[:, low:high], atol=1e-2)
        steps = made[0].diff().abs()
        largest = float(torch.cat([source[0].diff().abs(), steps[low + 500 : high - 500]]).max())
        assert max(float(steps[low - 1]), float(steps[high - 1])) <= largest

    @pytest.mark.parametrize("part", [(0.5, 0.5), (-1.0, 0.5), (0.2, 9.0), (float("nan"), 0.5)])
    def test_a_part_outside_the_sound_is_refused(self, model: Any, part: tuple[float, float]) -> None:
        with pytest.raises(
            ValueError, match=f"inside the sound, which is 1.00 s long, not from {part[0]:g} to {part[1]:g} s"
        ):
            model.repaint(sound(4, 1.0), *part)

    def test_the_candidate_that_joins_best_is_taken(self) -> None:
        guide = torch.zeros(1, 4, 10)
        candidates = torch.stack([guide + apart for apart in (1.0, 0.1, 2.0)])
        known = torch.arange(10) < 5
        assert continuation._best_joint(candidates, guide, known) == 1
        assert continuation._best_joint(candidates, guide, torch.zeros(10, dtype=torch.bool)) == 0


def test_a_model_without_a_prior_says_what_it_cannot(model: Any) -> None:
    without = replace(model, parts=ModelParts())
    if model.family.key == "vqvae":
        with pytest.raises(ModelFileError, match="Train it again"):
            without.generate(1)
        with pytest.raises(ModelFileError, match="Train it again"):
            without.vary(sound(1, 0.5), 1, 0.5)
        with pytest.raises(ModelFileError, match="Train it again"):
            without.sample(1)
    else:  # a file of an older version: latents of the standard normal, sounds of a second
        assert without.generate(2, seed=1)[0].shape == (1, RATE)
        assert without.vary(sound(1, 0.5), 1, 0.5, seed=1)[0].shape == (1, RATE // 2)
