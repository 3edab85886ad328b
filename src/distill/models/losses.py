"""Loss terms.  A family names its terms and their weights; the training loop sums them."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from distill.distributed.shared_batch import current_slice

#: Energy under which two spectra are equally silent: -120 dB.
_LEAST_ENERGY = 1e-12


def reconstruction_loss(recon: Tensor, target: Tensor) -> Tensor:
    """Return mean absolute error plus half the mean squared error of features of one shape (scalar).

    The absolute error keeps quiet detail and hard onsets, which a squared error alone blurs; the squared part makes
    the large errors of the first steps count.
    """
    difference = recon - target
    return difference.abs().mean() + 0.5 * difference.square().mean()


def kl_per_latent(mu: Tensor, logvar: Tensor) -> Tensor:
    """Return the KL of each latent's posterior from the standard normal, in nat, averaged over the batch: ``[D]``.

    ``mu`` and ``logvar`` are ``[B, D]``, as in the functions below.

    Kingma and Welling 2014, "Auto-encoding variational Bayes", appendix B.
    """
    kl = 0.5 * (mu.square() + logvar.exp() - 1.0 - logvar)
    part = current_slice()
    return kl.mean(0) if part is None else part.mean(kl)


def compute_kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """Return the raw KL (nat): no free bits, summed over latents and averaged over the batch (scalar)."""
    return kl_per_latent(mu, logvar).sum()


def kl_loss(mu: Tensor, logvar: Tensor, free_bits: float) -> Tensor:
    """Return the KL (nat) summed over latents, each of which has ``free_bits`` of it at no cost (scalar).

    Kingma et al. 2016, "Improved variational inference with inverse autoregressive flow", section 3.3: so that latents
    are not given up before the decoder has learnt to use them.
    """
    return kl_per_latent(mu, logvar).clamp_min(free_bits).sum()


def weighted_error(recon: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the mean absolute error of ``[B, F, T]``, weighted within each of the B by ``weight``, not negative."""
    total = weight.sum((1, 2)).clamp_min(1e-12)
    return (((recon - target).abs() * weight).sum((1, 2)) / total).mean()


def spectral_distance(recon: Tensor, target: Tensor, scales: Sequence[int] = (1, 2, 4, 8)) -> Tensor:
    """Return how far two spectra are apart as energies, over patches of several sizes (scalar).

    For each scale the energies of square patches are summed; the distance is the spectral convergence of their
    magnitudes plus the mean difference of their levels in decades (Arik, Jun and Diamos 2019, "Fast spectrogram
    inversion using multi-head convolutional neural networks"; several resolutions as in Yamamoto, Song and Kim 2020,
    "Parallel WaveGAN").

    Parameters
    ----------
    recon, target
        Decadic logarithms of magnitudes, ``[B, F, T]``.
    scales
        Sides of the patches, in bands and frames; those that are larger than the spectrogram are left out.
    """
    distances = []
    output, wanted = torch.pow(10.0, 2 * recon.clamp_max(1.0)), torch.pow(10.0, 2 * target)
    for side in (side for side in scales if side <= min(recon.shape[-2:])):
        a, b = (functional.avg_pool2d(energy, side) + _LEAST_ENERGY for energy in (output, wanted))
        magnitude, reference = a.sqrt(), b.sqrt()
        difference = (magnitude - reference).square().sum((1, 2)).sqrt()
        spectral_convergence = difference / reference.square().sum((1, 2)).sqrt()
        distances.append(spectral_convergence.mean() + 0.5 * (a.log10() - b.log10()).abs().mean())
    return torch.stack(distances).mean()


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
        See `kl_loss`.
    """
    recon_loss, kl = reconstruction_loss(recon, target), kl_loss(mu, logvar, free_bits)
    return recon_loss + kl_weight * kl, recon_loss, kl


def multi_scale_loss(recon: Tensor, target: Tensor) -> Tensor:
    """Return the reconstruction loss averaged over features at full, half and quarter resolution (scalar).

    The coarser scales weigh what is right about a region even where its details are not.
    """
    scales = [reconstruction_loss(recon, target)]
    for factor in (2, 4):
        pooled = (functional.avg_pool2d(x, factor) for x in (recon, target))
        scales.append(reconstruction_loss(*pooled))
    return torch.stack(scales).mean()


def vqvae_loss(
    recon: Tensor, mel: Tensor, commit_loss: Tensor, commitment_weight: float = 0.25
) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``(total, recon_loss, weighted_commit)`` of a VQ-VAE, scalars.

    Parameters
    ----------
    recon, mel
        Features ``[B, 1, F, T]``.
    commit_loss
        Mean squared distance of the tokens from their codes (van den Oord et al. 2017, equation 3).
    commitment_weight
        Its weight.
    """
    recon_loss = multi_scale_loss(recon, mel)
    weighted = commitment_weight * commit_loss
    return recon_loss + weighted, recon_loss, weighted


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
