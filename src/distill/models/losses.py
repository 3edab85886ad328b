"""Loss terms.  A family names its terms and their weights; the training loop sums them."""

import torch
from torch import Tensor


def reconstruction_loss(recon: Tensor, target: Tensor) -> Tensor:
    """Return mean absolute error plus half the mean squared error of features (scalar).

    The absolute error keeps quiet detail and hard onsets, which a squared error alone blurs; the squared part makes
    the large errors of the first steps count.
    """
    difference = recon - target
    return difference.abs().mean() + 0.5 * difference.square().mean()


def kl_per_latent(mu: Tensor, logvar: Tensor) -> Tensor:
    """Return the KL of each latent's posterior from the standard normal, in nat, averaged over the batch: ``[D]``.

    Kingma and Welling 2014, "Auto-encoding variational Bayes", appendix B.
    """
    return (0.5 * (mu.square() + logvar.exp() - 1.0 - logvar)).mean(0)


def compute_kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """Return the raw KL (nat): no free bits, summed over latents and averaged over the batch (scalar)."""
    return kl_per_latent(mu, logvar).sum()


def vae_loss(
    recon: Tensor, target: Tensor, mu: Tensor, logvar: Tensor, kl_weight: float, free_bits: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``(total, recon_loss, kl_loss)`` of a variational autoencoder, scalars.

    Parameters
    ----------
    recon, target
        Features ``[B, C, F, T]``.
    mu, logvar
        Posterior ``[B, D]``.
    kl_weight
        Weight of the KL term (beta of a beta-VAE, Higgins et al. 2017).
    free_bits
        KL (nat) of each latent that costs nothing (Kingma et al. 2016, "Improved variational inference with inverse
        autoregressive flow", section 3.3), so that latents are not given up before the decoder has learnt to use them.
    """
    recon_loss = reconstruction_loss(recon, target)
    kl_loss = kl_per_latent(mu, logvar).clamp_min(free_bits).sum()
    return recon_loss + kl_weight * kl_loss, recon_loss, kl_loss


def get_kl_weight(epoch: float, total_epochs: float, warmup_fraction: float = 0.3, kl_weight_max: float = 1.0) -> float:
    """Return the KL weight of an epoch (counted from 0): a straight line up to ``kl_weight_max``, then constant.

    Epoch 0 has weight 0 unless there is no warm-up.
    """
    warmup_epochs = warmup_fraction * total_epochs
    if warmup_epochs <= 0:
        return kl_weight_max
    return kl_weight_max * min(1.0, epoch / warmup_epochs)


def sample_posterior(mu: Tensor, logvar: Tensor) -> Tensor:
    """Draw latents ``[B, D]`` from the posterior by the reparametrisation trick, from torch's global generator."""
    return mu + torch.randn_like(mu) * (0.5 * logvar).exp()
