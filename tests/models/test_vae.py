"""The network: shapes, no surprises at loading, and the linear part that it starts from."""

from typing import Any

import pytest
import torch

from distill.models import ConvDecoder, ConvEncoder, ConvVAE
from distill.models.vae import PCAProjection

SMALL: dict[str, Any] = {"latent_dim": 4, "channels": (4, 8), "input_shape": (16, 12)}


def low_rank(count: int, rank: int, shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    """Features that lie in ``rank`` directions, ``[count, *shape]``, with no mean."""
    generator = torch.Generator().manual_seed(seed)
    size = int(torch.tensor(shape).prod())
    rows = torch.randn(count, rank, generator=generator) @ torch.randn(rank, size, generator=generator)
    return rows.view(count, *shape)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        SMALL,
        {**SMALL, "in_channels": 2},
        {**SMALL, "input_shape": (17, 13)},
        {**SMALL, "input_shape": (1, 1)},
        {**SMALL, "channels": (8,)},
        {**SMALL, "channels": [4, 8, 16, 32, 64], "input_shape": (40, 94)},
        {"latent_dim": 1, "channels": (2, 2), "input_shape": (128, 47)},
    ],
)
def test_shapes(settings: dict[str, Any]) -> None:
    model = ConvVAE(**settings)
    channels, (bands, frames) = settings.get("in_channels", 1), settings.get("input_shape", (128, 94))
    x = torch.randn(3, channels, bands, frames)
    recon, mu, logvar = model(x)
    assert recon.shape == x.shape
    assert mu.shape == logvar.shape == (3, model.latent_dim)
    assert model.decode(torch.zeros(2, model.latent_dim)).shape == (2, channels, bands, frames)
    assert model.sample(5, "cpu").shape == (5, channels, bands, frames)
    assert recon.dtype == torch.float32
    recon.sum().backward()
    assert all(p.grad is not None for p in model.encoder.parameters())
    assert all(p.grad is not None for p in model.decoder.parameters())


def test_the_complex_model_of_the_contract() -> None:
    model = ConvVAE(128, in_channels=2, channels=(64, 128, 256, 512, 1024))
    assert model.latent_dim == 128
    convolutions = [m for m in model.encoder.modules() if isinstance(m, torch.nn.Conv2d) and m.stride == (2, 2)]
    assert len(convolutions) == 5
    seen: list[torch.Size] = []
    convolutions[-1].register_forward_hook(lambda module, args, out: seen.append(out.shape))
    x = torch.randn(1, 2, 128, 94)
    recon, _, _ = model.eval()(x)
    assert recon.shape == x.shape
    assert seen == [torch.Size([1, 1024, 4, 3])]


def test_the_defaults_are_the_mel_model() -> None:
    model = ConvVAE()
    assert model.latent_dim == 64
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert 2e6 < trained < 4.5e6  # "about 3 M"
    assert isinstance(model.encoder, ConvEncoder)
    assert isinstance(model.decoder, ConvDecoder)


def test_no_layer_is_made_in_a_forward_pass() -> None:
    model, other = ConvVAE(**SMALL), ConvVAE(**SMALL)
    before = {key: value.shape for key, value in model.state_dict().items()}
    other.load_state_dict(model.state_dict())  # works before any forward pass
    x = torch.randn(2, 1, 16, 12)
    torch.testing.assert_close(other.eval()(x)[0], model.eval()(x)[0])
    assert {key: value.shape for key, value in model.state_dict().items()} == before
    assert not any(isinstance(m, torch.nn.modules.lazy.LazyModuleMixin) for m in model.modules())


def test_eval_is_deterministic_and_training_is_not() -> None:
    model, x = ConvVAE(**SMALL), torch.randn(2, 1, 16, 12)
    model.eval()
    assert torch.equal(model(x)[0], model(x)[0])
    recon, mu, _ = model(x)
    torch.testing.assert_close(model.decode(mu), recon)  # the posterior's mean, nothing drawn
    model.train()
    assert not torch.equal(model(x)[0], model(x)[0])


def test_samples_follow_the_generator() -> None:
    model = ConvVAE(**SMALL).eval()

    def sample(seed: int) -> torch.Tensor:
        return model.sample(3, "cpu", torch.Generator().manual_seed(seed))

    assert torch.equal(sample(1), sample(1))
    assert not torch.equal(sample(1), sample(2))
    state = torch.get_rng_state()
    sample(1)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"latent_dim": 0}, "latent_dim"),
        ({"in_channels": 0}, "in_channels"),
        ({"channels": ()}, "channels"),
        ({"channels": (4, 0)}, "channels"),
        ({"input_shape": (128, 0)}, "input_shape"),
        ({"input_shape": (128,)}, "input_shape"),
        ({"dropout": 2.0}, "dropout"),
    ],
)
def test_sizes_that_cannot_be_are_refused(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        ConvVAE(**settings)


@pytest.mark.parametrize("shape", [(1, 1, 128, 93), (1, 2, 128, 94), (1, 128, 94), (128, 94)])
def test_features_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[B, 1, 128, 94\]"):
        ConvVAE().encode(torch.zeros(shape))


def test_the_model_knows_its_corpus() -> None:
    model = ConvVAE(**SMALL)
    features = 5.0 + 2.0 * torch.randn(200, 1, 16, 12, generator=torch.Generator().manual_seed(0))
    features[:, :, 3] += 10  # one loud band
    model.fit_statistics(features, 1.0)
    standard = model.standardize(features)
    assert float(standard.mean()) == pytest.approx(0.0, abs=0.01)
    assert float(standard.std()) == pytest.approx(1.0, abs=0.02)
    assert float(standard[:, :, 3].mean()) == pytest.approx(0.0, abs=0.05)
    assert {"feature_mean", "feature_std", "principal.axes"} <= set(model.state_dict())
    assert all(p.requires_grad for p in model.encoder.parameters())
    assert not any(p.requires_grad for p in model.principal.parameters())


def test_a_silent_corpus_does_not_divide_by_zero() -> None:
    model = ConvVAE(**SMALL)
    model.fit_statistics(torch.full((10, 1, 16, 12), -3.0), 1.0)
    with torch.no_grad():
        recon, mu, logvar = model.eval()(torch.full((2, 1, 16, 12), -3.0))
    assert torch.isfinite(recon).all() and torch.isfinite(mu).all() and torch.isfinite(logvar).all()
    assert float((recon + 3.0).abs().max()) < 0.01


def test_a_new_model_already_reconstructs_a_corpus_of_low_rank() -> None:
    """Through its latents: what a network without the principal axes would have to learn first."""
    model = ConvVAE(**SMALL).eval()
    features = low_rank(60, 3, (1, 16, 12))
    model.fit_statistics(features, 1e-2)
    unseen = (low_rank(60, 3, (1, 16, 12)) * 1.0)[:20] * 0.5
    for x in (features, unseen):
        recon, _, _ = model(x)
        assert (recon - x).square().mean() < 0.05 * x.square().mean()


class TestPrincipalAxes:
    def test_a_corpus_of_rank_k_is_reconstructed(self) -> None:
        rows = low_rank(50, 3, (30,))
        axes = PCAProjection(5, 30)
        axes.fit(rows, 1e-2)
        mu, logvar = axes.encode(rows)
        torch.testing.assert_close(axes.decode(mu), rows, rtol=0.05, atol=0.05)
        assert mu.shape == (50, 5)
        assert not mu[:, 3:].any()  # rank 3: the other two are unused
        assert not axes.axes[3:].any()
        torch.testing.assert_close(logvar[3:], torch.zeros(2))  # and their posterior is the prior
        torch.testing.assert_close(mu[:, :3].square().mean(0), torch.ones(3), rtol=0.02, atol=0.0)

    def test_the_axes_are_orthonormal_and_ordered_by_variance(self) -> None:
        axes = PCAProjection(4, 30)
        axes.fit(low_rank(80, 10, (30,)), 1.0)
        torch.testing.assert_close(axes.axes @ axes.axes.T, torch.eye(4), rtol=0, atol=1e-4)
        assert list(axes.spread) == sorted(axes.spread, reverse=True)

    def test_it_is_the_posterior_of_probabilistic_pca(self) -> None:
        """Tipping and Bishop 1999, section 3.3: M^-1 W^T x and noise M^-1 with M = W^T W + noise."""
        rows, noise = low_rank(100, 6, (20,)), 3.0
        axes = PCAProjection(4, 20)
        axes.fit(rows, noise)
        w = (axes.axes * axes.spread[:, None]).T
        m = w.T @ w + noise * torch.eye(4)
        mu, logvar = axes.encode(rows)
        torch.testing.assert_close(mu, rows @ w @ torch.linalg.inv(m), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(logvar.exp(), (noise * torch.linalg.inv(m)).diagonal(), rtol=1e-3, atol=1e-3)

    def test_fewer_sounds_than_latents(self) -> None:
        rows = low_rank(3, 3, (30,))
        axes = PCAProjection(8, 30)
        axes.fit(rows, 1e-2)
        torch.testing.assert_close(axes.decode(axes.encode(rows)[0]), rows, rtol=0.05, atol=0.05)
        assert not axes.spread[3:].any()

    def test_fitting_again_forgets_the_first_corpus(self) -> None:
        axes, fresh = PCAProjection(5, 30), PCAProjection(5, 30)
        axes.fit(low_rank(50, 5, (30,), seed=1), 2.0)
        for one in (axes, fresh):
            one.fit(low_rank(50, 2, (30,), seed=2), 1.0)
        assert all(torch.equal(a, b) for a, b in zip(axes.parameters(), fresh.parameters(), strict=True))

    def test_it_contributes_nothing_before_it_is_fitted(self) -> None:
        axes = PCAProjection(5, 30)
        mu, logvar = axes.encode(torch.randn(4, 30))
        assert not mu.any()
        assert not logvar.any()
        assert not axes.decode(torch.randn(4, 5)).any()
