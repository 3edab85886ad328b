"""The verdict on recorded runs, each labelled by hand from its curve, and when such a run ends by itself.

``tests/data/curves.json`` has the epochs of real runs, and of variations of them that say so.  A label is what somebody
says who looks at the curve up to an epoch.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from distill.config.training import DEFAULT_PATIENCE, TrainingConfig, VQVAEConfig
from distill.events import EpochMetrics, VQEpochMetrics
from distill.runs.verdict import EARLIEST_END, Advice, AnyEpoch, Kind, Verdict, is_at_its_end, judge, warm_up_epochs

CURVES = Path(__file__).parents[1] / "data" / "curves.json"


@cache
def curves() -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in json.loads(CURVES.read_text())}


def epochs_of(curve: dict[str, Any]) -> list[AnyEpoch]:
    """Return the epochs of a curve; what a verdict does not look at is made up."""
    made: list[AnyEpoch] = []
    total = curve["planned"]
    for n, (val, train, copies) in enumerate(zip(curve["val"], curve["train"], curve["copies"], strict=True)):
        gap = (val - train) / train
        if "kl" in curve:
            kl = curve["kl"][n]
            made.append(EpochMetrics(n, total, train, val, copies, 0.1, kl, gap, curve["rate"][n], 1.0, 1.0, 9))
        else:
            health = {"level_0": {"utilization": 0.5, "perplexity": curve["perplexity"][n], "dead_codes": 0.0}}
            made.append(VQEpochMetrics(n, total, train, val, copies, 0.1, gap, curve["rate"][n], 1.0, 1.0, health))
    return made


def labels() -> list[Any]:
    return [
        pytest.param(name, *label, id=f"{name} at {label[0]}") for name, c in curves().items() for label in c["labels"]
    ]


def test_there_are_enough_recorded_runs() -> None:
    assert len(curves()) >= 20
    assert sum(curve["source"] == "real" for curve in curves().values()) >= 10
    assert {label[1] for curve in curves().values() for label in curve["labels"]} == set(Kind)
    assert {curve["family"] for curve in curves().values()} == {"vae", "complex_vae", "vqvae"}


@pytest.mark.parametrize(("name", "count", "kind", "since"), labels())
def test_verdict(name: str, count: int, kind: str, since: list[int] | None) -> None:
    """``count`` epochs are known; ``since``, as people count epochs, is a range."""
    curve = curves()[name]
    verdict = judge(epochs_of(curve)[:count], curve["warm_up"])
    assert verdict.kind == kind
    if since is None:
        assert verdict.since is None
    else:
        assert verdict.since is not None
        assert since[0] <= verdict.since + 1 <= since[1]


@pytest.mark.parametrize("name", [name for name, curve in curves().items() if curve["ends"] is not None])
def test_a_run_ends_when_it_is_good(name: str) -> None:
    """Neither long after its best epoch nor before one that is better by more than matters."""
    curve = curves()[name]
    epochs = epochs_of(curve)
    counts = range(1, len(epochs) + 1)
    end = next((n for n in counts if is_at_its_end(epochs[:n], DEFAULT_PATIENCE, curve["warm_up"])), None)
    losses = curve["val"]
    if not curve["ends"]:
        assert end is None
        return
    assert end is not None
    best = losses.index(min(losses[:end])) + 1
    assert min(losses[:end]) <= 1.012 * min(losses)
    longest = max(2 * best, EARLIEST_END + DEFAULT_PATIENCE, curve["warm_up"] + DEFAULT_PATIENCE + 1)
    assert end <= longest


def series(*losses: float, rate: float = 1e-3) -> list[AnyEpoch]:
    """Return epochs with these losses; from the third on at a learning rate."""
    rates = [1e-3, 1e-3, *[rate] * len(losses)]
    return [EpochMetrics(n, 99, 0.5, x, x, 0.1, 9.0, x / 0.5 - 1, rates[n], 1.0, 1.0, 9) for n, x in enumerate(losses)]


def test_never_without_patience_nor_in_the_first_epochs() -> None:
    flat = series(*[0.5] * 60, rate=1e-4)
    assert not is_at_its_end(flat, 0)
    assert not is_at_its_end(flat[: EARLIEST_END - 1], 1)
    assert is_at_its_end(flat[:EARLIEST_END], 1)
    assert not is_at_its_end(flat[:30], 40)
    assert not is_at_its_end(flat[:30], 8, warm_up=25)


def test_a_flat_run_goes_on_until_its_steps_are_fine() -> None:
    flat = series(*[0.5] * 60)
    assert judge(flat).sentence() == "Flat since epoch 1: finish now, or wait for the last epochs in finer steps."
    assert not is_at_its_end(flat, 8)


def test_a_flat_run_goes_on_while_new_sounds_come_nearer() -> None:
    flat = series(*[0.5] * 30, rate=1e-4)

    def with_distances(distances: list[float | None]) -> list[AnyEpoch]:
        return [replace(epoch, new_sound_distance=x) for epoch, x in zip(flat, distances, strict=True)]

    falling = [90.0 - 2.5 * n for n in range(30)]
    assert not is_at_its_end(with_distances(list(falling)), 8)
    assert not is_at_its_end(with_distances([None if n % 3 else x for n, x in enumerate(falling)]), 8)
    assert is_at_its_end(with_distances([30.0 + n % 3 for n in range(30)]), 8)
    assert is_at_its_end(with_distances([*falling[:3], *[None] * 27]), 8), "too few figures to tell a trend"


def test_a_loss_that_is_no_number_is_collapsed_and_one_such_epoch_is_not() -> None:
    good, bad = [0.9 - 0.02 * n for n in range(12)], [float("nan")] * 3
    assert judge(series(*good, *bad)).kind is Kind.COLLAPSED
    assert judge(series(*good, *bad)).since == 12
    assert judge(series(*good, bad[0])).kind is Kind.IMPROVING
    assert judge(series(*good, *bad)).advice() is Advice.LOWER_RATE


def test_a_run_that_improves_behind_its_best_epoch_says_so() -> None:
    """The sentence stands beside "Best: epoch 1", and fits both."""
    risen = series(0.5, *[0.9 - 0.02 * n for n in range(12)])
    verdict = judge(risen)
    assert verdict.kind is Kind.IMPROVING
    assert verdict.sentence() == "Improving, but not as good as at epoch 1."
    assert verdict.sentence(is_over=True) == (
        "Improving at its end, but not as good as at epoch 1: more epochs may help."
    )
    assert verdict.advice(is_over=True) is Advice.TRAIN_ON
    better = series(0.9, 0.95, *[0.9 - 0.02 * n for n in range(12)])
    assert judge(better).sentence() == "Still improving."


#: Held-out losses of a short run whose best epoch is the fifth, and of one whose best is the fourth.
BEST_AT_5 = (0.3, 0.22, 0.19, 0.175, 0.165, 0.1662, 0.1658, 0.166, 0.1661, 0.166)
BEST_AT_4 = (0.15, 0.11, 0.095, 0.0905, 0.0908, 0.0908)


def test_a_run_that_gains_nothing_after_its_best_epoch_does_not_claim_to_improve() -> None:
    """It said "Still improving." to the end, four epochs after the best one."""
    said = [judge(series(*BEST_AT_5[:count])).sentence() for count in range(6, 11)]
    best, stands = "Best so far: epoch 5.", "No better since epoch 5."
    assert said == [best, best, best, best, stands]
    long = judge(series(*BEST_AT_5))
    assert long.sentence(is_over=True) == "No better since epoch 5: more epochs may change little."
    assert (long.advice(), long.advice(is_over=True)) == (Advice.NONE, Advice.NONE)
    short = judge(series(*BEST_AT_4))
    assert short.sentence() == "Best so far: epoch 4."
    assert short.sentence(is_over=True) == "Best so far: epoch 4. More epochs may help."
    assert (short.advice(), short.advice(is_over=True)) == (Advice.NONE, Advice.TRAIN_ON)
    assert (short.since, short.best, short.after_best) == (3, 3, 2)


#: Of a run that falls to its fifth epoch and then stands still, with its best epoch the last but one or the last.
LEVEL = (0.3, 0.25, 0.21, 0.19, 0.1802, 0.1803, 0.1801, 0.1802, 0.18, 0.1801, 0.17998)


@pytest.mark.parametrize(("count", "best"), [(6, 5), (9, 9), (10, 9), (11, 11)])
def test_a_run_whose_newest_epochs_are_level_does_not_claim_to_improve(count: int, best: int) -> None:
    """It said "Still improving." while the best epoch was the last but one, and the curve flat."""
    verdict = judge(series(*LEVEL[:count]))
    assert verdict.sentence() == f"Best so far: epoch {best}."
    assert verdict.sentence(is_over=True) == f"Best so far: epoch {best}. More epochs may help."
    assert (verdict.advice(), verdict.advice(is_over=True)) == (Advice.NONE, Advice.TRAIN_ON)


def test_a_single_bad_epoch_or_a_slow_curve_is_not_level() -> None:
    falling = [0.9 - 0.03 * n for n in range(12)]
    assert judge(series(*falling, 0.8)).sentence() == "Still improving."
    assert judge(series(*[0.9 * 0.998**n for n in range(30)])).sentence() == "Still improving."


@pytest.mark.parametrize(
    ("name", "count", "sentence"),
    [
        ("vqvae_corpus30", 39, "Best so far: epoch 38."),  # one epoch without a gain, after a steep fall
        ("vqvae_corpus30", 48, "Best so far: epoch 47."),  # five level ones, the last but one the best
        ("run_vqvae_8", 16, "Best so far: epoch 15."),
        ("vae_demo24", 16, "Still improving."),  # the last but one is the best, but only by chance
        ("vae_many_84", 84, "Still improving."),  # slow, but steady
    ],
)
def test_what_is_said_of_recorded_runs_with_a_recent_best_epoch(name: str, count: int, sentence: str) -> None:
    curve = curves()[name]
    assert judge(epochs_of(curve)[:count], curve["warm_up"]).sentence() == sentence


def test_a_best_epoch_by_chance_does_not_hide_that_a_run_improves() -> None:
    """The noise is larger than what a few epochs gain, so that the best of them is often not the newest."""
    noise = (0, 1, -1, 2, -2, 1, 0, -1, 1, 2, -1, 0, 1, -2, 0, 0)
    noisy = [0.9 - 0.01 * n + 0.02 * x for n, x in enumerate(noise)]
    assert noisy.index(min(noisy)) == len(noisy) - 3
    assert judge(series(*noisy)).sentence() == "Still improving."


def test_noise_alone_is_no_improvement() -> None:
    """A new best epoch by chance does not count, nor does a single bad one."""
    noisy = [0.5 + 0.01 * x for x in (0, 1, -1, 2, -2, 1, 0, -1, 1, 2, -1, 0, 1, -2, 2, 0, -1, 1, -3, 1)]
    assert judge(series(*noisy)).kind is Kind.FLAT
    assert judge(series(*[0.9 - 0.03 * n for n in range(12)], 0.8)).kind is Kind.IMPROVING


def test_the_warm_up_of_the_kl_weight() -> None:
    assert warm_up_epochs(TrainingConfig(), 200) == 60
    assert warm_up_epochs(TrainingConfig(kl_weight_max=0.0), 200) == 0
    assert warm_up_epochs(VQVAEConfig(), 200) == 0
    assert judge(series(*[0.5] * 20)).kind is Kind.FLAT
    early = judge(series(*[0.5] * 20), warm_up=40)
    assert early.sentence() == "Judge it by ear for now: a trend is seen from epoch 40 on."


def test_what_is_said_before_a_trend() -> None:
    """What is said is true of this run: of its first epoch, and of one that ends before a trend can be seen."""
    before, one = judge([]), judge(series(0.5))
    assert before.sentence(total_epochs=6) == "The curve begins at the end of the first epoch."
    assert before.sentence(is_over=True) == "It ended before its first epoch was complete: there is nothing to judge."
    assert one.sentence(total_epochs=200) == "Judge it by ear for now: a trend is seen from epoch 10 on."
    assert one.sentence(total_epochs=6) == "Judge it by ear: a run of 6 epochs may be too short for a trend."
    assert one.sentence(is_over=True) == "It ended before a trend could be seen: judge it by ear."


@pytest.mark.parametrize(
    ("verdict", "sentence", "advice", "over", "then"),
    [
        (Verdict(Kind.IMPROVING), "Still improving.", "", "Still improving when it ended", "train on"),
        (Verdict(Kind.FLAT, 39), "Flat since epoch 40: finish now.", "finish", "would change little", ""),
        (Verdict(Kind.BY_HEART, 22), "Learning by heart since epoch 23: finish now.", "finish", "more sounds", ""),
        (
            Verdict(Kind.COLLAPSED, 4, cause=Advice.LOWER_KL), "Collapsed since epoch 5: new sounds will all be alike.",
            "lower KL weight", "with a lower KL weight", "lower KL weight",
        ),
    ],
)  # fmt: skip
def test_what_is_said_and_what_can_be_done(verdict: Verdict, sentence: str, advice: str, over: str, then: str) -> None:
    assert verdict.sentence().startswith(sentence)
    assert (verdict.advice(), verdict.advice(is_over=True)) == (advice, then)
    assert over in verdict.sentence(is_over=True)
