"""The map of a model's sounds and its sliders: what they hold, and what is refused."""

from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from distill.config.factory import make_config
from distill.models.families import make_family
from distill.models.families.family import ModelFamily
from distill.models.latent_space import latent_map as latent_map_module
from distill.models.latent_space import sliders as sliders_module
from distill.models.latent_space.descriptors import DESCRIPTORS, decode_chunks, describe
from distill.models.latent_space.latent_map import LatentMap, fit_map
from distill.models.latent_space.sliders import LatentAnalysis, fit_analysis

COUNT = 40


def chunks() -> Tensor:
    """Return decaying tones ``[40, 1, 48000]`` of growing pitch, with more and more noise."""
    t = torch.arange(48_000) / 48_000
    generator = torch.Generator().manual_seed(0)
    rows = []
    for n in range(COUNT):
        tone = torch.sin(2 * torch.pi * 110 * 2 ** (n / 8) * t)
        noise = torch.randn(48_000, generator=generator)
        rows.append((tone + 0.02 * (n % 7) * noise) * torch.exp(-(1 + n % 5) * t) * (0.2 + 0.02 * n))
    return torch.stack(rows)[:, None]


@cache
def model(key: str) -> tuple[ModelFamily, torch.nn.Module, Tensor]:
    """Return a family, its network with fitted statistics, and features."""
    torch.manual_seed(0)
    family = make_family(make_config(key, COUNT))
    network = family.build()
    features = torch.cat([family.features(part) for part in torch.split(chunks(), 8)])
    family.fit_statistics(network, features)
    return family, network.eval(), features


@cache
def made(key: str) -> LatentMap:
    family, network, features = model(key)
    numbers = list(range(COUNT))
    prints = [f"{n:016x}" for n in numbers]
    return fit_map(
        decode_chunks(family, network, features), numbers, [0.0] * COUNT, [0.25 + n / 80 for n in numbers], prints
    )


@pytest.mark.parametrize("key", ["vae", "complex_vae", "vqvae"])
def test_every_family_has_a_map(key: str) -> None:
    shown = made(key)
    family, network, features = model(key)
    assert shown.positions.shape == (COUNT, 2)
    assert 0.0 <= float(shown.positions.min()) <= float(shown.positions.max()) <= 1.0
    assert shown.trustworthiness > 0.75  # of 40 sounds; a chance map has 0.5
    slope = ((shown.positions[:, 0] - shown.positions[:, 0].mean()) * shown.brightness).sum()
    assert float(slope) > 0, "x grows with brightness"
    with torch.no_grad():
        copies = family.from_points(network, family.points(network, features))
        for row in (0, 17, 39):
            x, y = shown.positions[row].tolist()
            point, seconds = shown.point_at(x, y)
            assert seconds == pytest.approx(float(shown.seconds[row]), rel=0.01)
            error = (family.from_points(network, point[None])[0, 0] - copies[row, 0]).abs().mean()
            others = (copies[(row + 20) % COUNT, 0] - copies[row, 0]).abs().mean()
            assert float(error) < 0.25 * float(others), "a dot's own position gives its own sound"


def test_the_map_survives_a_file() -> None:
    shown = made("vae")
    size = model("vae")[0].point_dim(model("vae")[1])
    again = LatentMap.of_file(shown.to_file(), size)
    assert torch.equal(again.positions, shown.positions)
    assert again.fingerprints == shown.fingerprints
    assert torch.allclose(again.scores, shown.scores, atol=0.01, rtol=0.01)
    assert not any("/" in text or "." in text for text in again.fingerprints)


def test_positions_between_dots_give_other_sounds_and_change_smoothly() -> None:
    shown = made("vae")
    first, second = shown.positions[0], shown.positions[20]
    points = [shown.point_at(*(first + share * (second - first)).tolist())[0] for share in torch.linspace(0, 1, 41)]
    steps = torch.stack([(b - a).norm() for a, b in pairwise(points)])
    whole = (points[-1] - points[0]).norm()
    assert float(steps.max()) < float(whole), "no step is as far as the whole way"
    middle = points[20]
    assert min(float((middle - row).norm()) for row in shown.scores) > 1e-3


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("positions", torch.zeros(3, 2)),
        ("positions", torch.full((COUNT, 2), torch.nan)),
        ("scores", torch.zeros(COUNT, 3)),
        ("sounds", torch.full((COUNT,), COUNT)),
        ("fingerprints", [1] * COUNT),
        ("starts", "text"),
    ],
)
def test_a_damaged_map_is_refused(part: str, value: Any) -> None:
    size = model("vae")[0].point_dim(model("vae")[1])
    with pytest.raises((ValueError, AttributeError, TypeError)):
        LatentMap.of_file({**made("vae").to_file(), part: value}, size)
    with pytest.raises(ValueError, match="another network"):
        LatentMap.of_file(made("vae").to_file(), size + 1)


def test_descriptors_say_what_their_names_say() -> None:
    family, _, _ = model("vae")
    t = torch.arange(48_000) / 48_000
    low, high = torch.sin(2 * torch.pi * 200 * t), torch.sin(2 * torch.pi * 4000 * t)
    noise = torch.randn(48_000, generator=torch.Generator().manual_seed(0)) * 0.3
    rise = (t / 0.4).clamp_max(1.0)
    sounds = {
        "low": low, "high": high, "noise": noise, "soft": 0.1 * low, "slow": low * rise, "short": low * (t < 0.2),
    }  # fmt: skip
    rows = describe(family.features(torch.stack(list(sounds.values()))[:, None]))
    value = {name: dict(zip(DESCRIPTORS, row.tolist(), strict=True)) for name, row in zip(sounds, rows, strict=True)}
    assert value["high"]["brightness"] > value["low"]["brightness"] + 0.1
    assert value["noise"]["noisiness"] > value["low"]["noisiness"] + 10
    assert value["low"]["loudness"] - value["soft"]["loudness"] == pytest.approx(20, abs=1)
    assert value["slow"]["attack"] > value["low"]["attack"] + 1
    assert value["short"]["length"] < value["low"]["length"] - 0.5


@cache
def sliders() -> LatentAnalysis:
    family, network, features = model("vae")
    found = fit_analysis(family, network, decode_chunks(family, network, features))
    assert found is not None
    return found


def test_sliders_move_what_they_are_named_after() -> None:
    family, network, features = model("vae")
    assert {direction.name for direction in sliders().directions} >= {"loudness", "length"}
    with torch.no_grad():
        points = family.points(network, features[::9])
    for direction in sliders().directions:
        which = list(DESCRIPTORS).index(direction.name)
        for point in points:
            moved = [sliders().move(family, network, point, direction.name, amount) for amount in (-1.0, 0.0, 1.0)]
            with torch.no_grad():
                values = describe(family.from_points(network, torch.stack(moved))) / sliders().spread
            assert bool((values[1:, which] > values[:-1, which]).all()), direction.name
        assert torch.equal(sliders().move(family, network, points[0], direction.name, 0.0), points[0])


def test_the_sliders_survive_a_file_and_damage_is_refused() -> None:
    stored = sliders().to_file()
    size = len(sliders().covariance)
    again = LatentAnalysis.of_file(stored, size)
    assert again.directions == sliders().directions
    with pytest.raises(ValueError, match="another network"):
        LatentAnalysis.of_file(stored, size + 1)
    with pytest.raises(ValueError, match="not finite"):
        LatentAnalysis.of_file({**stored, "spread": torch.full((5,), torch.nan)}, size)
    family, network, features = model("vae")
    with pytest.raises(ValueError, match="no direction 'colour'"):
        sliders().move(family, network, features.new_zeros(size), "colour", 1.0)
    with pytest.raises(ValueError, match=r"from -1\.5 to 1\.5"):
        sliders().move(family, network, features.new_zeros(size), "loudness", 2.0)


def test_codes_have_sliders_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is heard is decoded from codes, which change in jumps: the sliders are measured and tried on that.

    A network that was not trained has few codes, and how well a slider works with them depends on the processor.
    """
    monkeypatch.setattr(sliders_module, "LEAST_STRENGTH", 0.6)
    monkeypatch.setattr(sliders_module, "MOST_CROSS_TALK", 1.0)
    family, network, features = model("vqvae")
    found = fit_analysis(family, network, decode_chunks(family, network, features))
    assert found is not None
    assert "loudness" in {direction.name for direction in found.directions}
    size = family.point_dim(network)
    assert len(found.covariance) < size  # the whole covariance would have tens of millions of numbers
    again = LatentAnalysis.of_file(found.to_file(), size)
    which = list(DESCRIPTORS).index("loudness")
    with torch.no_grad():
        points = family.points(network, features[::9])
    values = []
    for amount in (-1.0, 0.0, 1.0):
        moved = torch.stack([again.move(family, network, point, "loudness", amount) for point in points])
        with torch.no_grad():
            values.append(float(describe(family.from_points(network, moved))[:, which].mean()))
    assert values[0] < values[1] < values[2]  # each by itself may jump: this network has few codes
    for damaged in (torch.zeros(0, size), torch.zeros(size, 3), torch.zeros(3, size - 1)):
        with pytest.raises(ValueError, match="another network"):
            LatentAnalysis.of_file({**found.to_file(), "covariance": damaged}, size)


@pytest.mark.parametrize("key", ["vae", "vqvae"])
def test_sounds_that_are_all_the_same_have_a_map_and_no_sliders(key: str) -> None:
    family, network, features = model(key)
    decoded = decode_chunks(family, network, features[:1].expand(4, -1, -1, -1))
    shown = fit_map(decoded, [0, 1, 2, 3], [0.0] * 4, [1.0] * 4, ["0" * 16] * 4)
    point_size = family.point_dim(network)
    read = LatentMap.of_file(shown.to_file(), point_size)
    assert read.point_at(0.5, 0.5)[0].shape == (point_size,)
    assert fit_analysis(family, network, decoded) is None


def test_a_sound_unlike_all_others_leaves_them_the_room_of_the_map() -> None:
    positions = torch.randn(60, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    positions[7], positions[8] = positions.new_tensor([30.0, 40.0]), positions.new_tensor([60.0, 80.0])
    middle = positions.median(0).values
    gathered = latent_map_module._gathered(positions)
    farthest = gathered.norm(dim=1)
    assert farthest.argsort()[-2:].tolist() == [7, 8]
    assert float(farthest[8]) < 3 * float(farthest.quantile(0.9))
    away = (positions - middle) / (positions - middle).norm(dim=1, keepdim=True)
    torch.testing.assert_close(gathered / farthest[:, None], away)
    near = (positions - middle).norm(dim=1) < 1.0
    torch.testing.assert_close(gathered[near], (positions - middle)[near])
