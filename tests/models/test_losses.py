"""Losses against torch.distributions, and the formulas of the contract."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from distill.models import compute_kl_divergence, get_kl_weight, vae_loss
from distill.models.losses import kl_per_latent, reconstruction_loss, sample_posterior, spectral_distance


@pytest.fixture
def posterior() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(5, 7, generator=generator) * 2, torch.randn(5, 7, generator=generator) * 3


def test_kl_is_that_of_torch_distributions(posterior: tuple[torch.Tensor, torch.Tensor]) -> None:
    mu, logvar = posterior
    expected = kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(kl_per_latent(mu, logvar), expected.mean(0))
    torch.testing.assert_close(compute_kl_divergence(mu, logvar), expected.sum(1).mean())


def test_the_standard_normal_has_no_kl() -> None:
    assert compute_kl_divergence(torch.zeros(4, 3), torch.zeros(4, 3)) == 0


def test_the_raw_kl_knows_no_free_bits_and_the_loss_does() -> None:
    mu, logvar = torch.zeros(4, 3), torch.zeros(4, 3)
    mu[:, 0] = 2.0  # KL 2 in one latent, 0 in the others
    target = torch.zeros(4, 1, 2, 2)
    _, _, kl = vae_loss(target, target, mu, logvar, 1.0, 0.25)
    assert kl == pytest.approx(2.0 + 2 * 0.25)
    assert compute_kl_divergence(mu, logvar) == pytest.approx(2.0)


def test_free_bits_are_of_a_latent_over_the_batch_and_cost_no_gradient() -> None:
    mu = torch.tensor([[1.0], [0.0]], requires_grad=True)  # mean KL 0.25
    logvar = torch.zeros(2, 1)
    target = torch.zeros(2, 1, 1, 1)
    total, _, kl = vae_loss(target, target, mu, logvar, 1.0, 0.3)
    assert float(kl.detach()) == pytest.approx(0.3)
    total.backward()  # type: ignore[no-untyped-call]
    assert mu.grad is not None
    assert not mu.grad.any()
    assert float(vae_loss(target, target, mu.detach(), logvar, 1.0, 0.2)[2]) == pytest.approx(0.25)


def test_total_is_reconstruction_plus_weighted_kl(posterior: tuple[torch.Tensor, torch.Tensor]) -> None:
    mu, logvar = posterior
    recon, target = torch.full((5, 1, 2, 2), 3.0), torch.ones(5, 1, 2, 2)
    total, recon_loss, kl = vae_loss(recon, target, mu, logvar, 0.1, 0.0)
    assert recon_loss == pytest.approx(2.0 + 0.5 * 4.0)
    torch.testing.assert_close(kl, compute_kl_divergence(mu, logvar))
    torch.testing.assert_close(total, recon_loss + 0.1 * kl)
    assert reconstruction_loss(target, target) == 0


def test_kl_warm_up_is_a_straight_line() -> None:
    weights = [get_kl_weight(epoch, 10, 0.4, 2.0) for epoch in range(10)]
    assert weights == pytest.approx([0.0, 0.5, 1.0, 1.5, 2, 2, 2, 2, 2, 2])
    assert get_kl_weight(0, 10, 0.0, 2.0) == 2.0
    assert get_kl_weight(3, 10) == 1.0
    assert get_kl_weight(0, 10) == 0.0


def test_samples_of_the_posterior_have_its_mean_and_spread() -> None:
    mu, logvar = torch.full((20_000, 1), 3.0), torch.full((20_000, 1), -1.0)
    torch.manual_seed(0)
    z = sample_posterior(mu, logvar)
    assert float(z.mean()) == pytest.approx(3.0, abs=0.02)
    assert float(z.std()) == pytest.approx(float(torch.tensor(-0.5).exp()), rel=0.03)


def test_scales_larger_than_the_spectrogram_are_left_out() -> None:
    target = torch.rand(2, 16, 6)
    assert float(spectral_distance(target, target)) == pytest.approx(0.0, abs=1e-6)
    assert float(spectral_distance(target + 0.5, target)) == float(spectral_distance(target + 0.5, target, (1, 2, 4)))
