"""Pitches of sounds whose pitch is known, and of sounds that have none."""

import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest

from distill.audio.pitch import Pitch, estimate_pitch, note_name

RATE = 48_000
Audio = npt.NDArray[np.float64]


def harmonic(hertz: float, levels: list[float], seconds: float = 0.8, decay: float = 0.0, seed: int = 0) -> Audio:
    """Return a sum of harmonics with random phases, each with its level."""
    t = np.arange(round(seconds * RATE)) / RATE
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(levels))
    parts = [a * np.sin(2 * np.pi * hertz * (k + 1) * t + phases[k]) for k, a in enumerate(levels)]
    tone: Audio = np.sum(parts, axis=0) * np.exp(-decay * t)
    return tone


def levels_of(kind: str, hertz: float) -> list[float]:
    count = max(1, min(30, int(16_000 / hertz)))
    each = np.arange(1, count + 1)
    if kind == "sine":
        return [1.0]
    if kind == "saw":
        return list(1.0 / each)
    if kind == "square":
        return list((each % 2) / each)
    if kind == "strong second":
        return [0.2, 1.0, 0.4][:count]
    assert kind == "no fundamental"
    return [0.0, 1.0, 0.8, 0.6, 0.5]


KINDS = ("sine", "saw", "square", "strong second", "no fundamental")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decay", [0.0, 8.0])
def test_tones_are_found_within_five_cents(kind: str, decay: float) -> None:
    wrong = []
    for hertz in np.geomspace(33.0, 3900.0 if kind == "sine" else 2000.0, 23):
        noise = 0.01 * np.random.default_rng(1).standard_normal(round(0.8 * RATE))
        found = estimate_pitch(harmonic(hertz, levels_of(kind, hertz), decay=decay) + noise * np.exp(-decay * 0.8))
        cents = None if found is None else 1200 * np.log2(found.hertz / hertz)
        if cents is None or abs(cents) > 5.0:
            wrong.append((round(hertz, 1), cents))
    assert wrong == []


@pytest.mark.parametrize("seconds", [0.03, 0.06, 0.12])
def test_short_tones_are_right_or_have_no_pitch(seconds: float) -> None:
    for hertz in np.geomspace(60.0, 2000.0, 15):
        found = estimate_pitch(harmonic(hertz, levels_of("saw", hertz), seconds=seconds))
        if found is not None:
            assert abs(1200 * np.log2(found.hertz / hertz)) < 5.0
    assert estimate_pitch(harmonic(880.0, levels_of("saw", 880.0), seconds=seconds)) is not None


def sweep(first: float, last: float, seconds: float = 0.5) -> Audio:
    t = np.arange(round(seconds * RATE)) / RATE
    rate = np.log(last / first) / seconds
    tone: Audio = np.sin(2 * np.pi * first * (np.exp(rate * t) - 1) / rate) * np.exp(-4 * t)
    return tone


def without_pitch() -> dict[str, Audio]:
    generator = np.random.default_rng(3)
    noise = generator.standard_normal(RATE // 2)
    bell = np.sum([harmonic(440 * ratio, [1.0], decay=5) for ratio in (0.56, 0.92, 1.19, 1.71, 2.0, 2.74)], axis=0)
    chord = np.sum([harmonic(261.63 * 2 ** (n / 12), levels_of("saw", 500)) for n in (0, 4, 7)], axis=0)
    just = np.sum([harmonic(261.63 * ratio, [1.0]) for ratio in (1, 5 / 4, 3 / 2)], axis=0)
    two = np.concatenate([harmonic(300, [1.0], 0.4), harmonic(400, [1.0], 0.4)])
    click = np.zeros(4800)
    click[100] = 1.0
    return {
        "noise": noise, "burst": noise * np.exp(-40 * np.arange(len(noise)) / RATE), "falling kick": sweep(180, 45),
        "bell": bell, "chord": chord, "just chord": just, "two notes": two, "click": click,
        "silence": np.zeros(4800), "nothing": np.zeros(0), "ten samples": np.ones(10),
    }  # fmt: skip


@pytest.mark.parametrize("name", without_pitch())
def test_sounds_without_one_steady_pitch_have_none(name: str) -> None:
    assert estimate_pitch(without_pitch()[name]) is None


def test_the_level_and_the_rate_do_not_matter() -> None:
    tone = harmonic(220.0, levels_of("saw", 220.0))
    soft, other = estimate_pitch(0.01 * tone), estimate_pitch(tone, 44_100)
    assert soft is not None
    assert other is not None
    assert soft.hertz == pytest.approx(220.0, rel=1e-3)
    assert other.hertz == pytest.approx(220.0 * 44_100 / 48_000, rel=1e-3)


def test_names_of_notes() -> None:
    assert [note_name(key) for key in (60, 69, 21, 0, 127)] == ["C4", "A4", "A0", "C-1", "G9"]
    pitch = Pitch(440.0 * 2 ** (0.1 / 12), 1.0)
    assert (pitch.key, pitch.name) == (69, "A4")
    assert pitch.cents == pytest.approx(10.0)


def test_memory_does_not_grow_with_a_long_sound() -> None:
    """A recording of ten minutes on a pad took six gigabytes when a kit was written."""
    sound = np.tile(harmonic(220.0, [1.0, 0.5], seconds=1.0), 40)
    tracemalloc.start()
    try:
        found = estimate_pitch(sound)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found is not None
    assert abs(1200 * np.log2(found.hertz / 220.0)) < 5.0
    assert peak < 60e6
