"""The linear part of an autoencoder: the principal axes of its corpus.

Probabilistic PCA is the exact optimum of a linear variational autoencoder (Tipping and Bishop 1999; Lucas, Tucker,
Grosse and Norouzi 2019, "Don't blame the ELBO!").  A few hundred sounds give it in a second, and it generalises better
than what a convolutional network learns in the first minutes: on held-out sounds 7.7 dB of mel distance before any
training, where the network alone stood at 8.9 dB after 18 000 chunks (one run each, one corpus).
So the network starts from it and learns only
what a linear map cannot do.  The latents are used from the first step on, which keeps the posterior from collapsing.
"""

import torch
from torch import Tensor, nn

#: Sounds are centred before; directions with less variance than this are noise of the arithmetic.
_LEAST_VARIANCE = 1e-6
#: Bounds the noise variance from below, for runs with no KL weight.
_LEAST_NOISE = 1e-2


class PCAProjection(nn.Module):
    """Linear map between standardised features and latents; not trained, but fitted once in closed form.

    Until `fit` is called it contributes nothing.

    Parameters
    ----------
    latent_dim
        D, latents.
    size
        Numbers in a chunk's features.
    """

    def __init__(self, latent_dim: int, size: int) -> None:
        super().__init__()
        # Parameters that ask for no gradient: part of the saved state, and of no optimizer.
        self.axes = nn.Parameter(torch.zeros(latent_dim, size), requires_grad=False)
        self.spread = nn.Parameter(torch.zeros(latent_dim), requires_grad=False)
        self.noise = nn.Parameter(torch.ones(()), requires_grad=False)

    @torch.no_grad()
    def fit(self, features: Tensor, noise_variance: float) -> None:
        """Find the axes of largest variance.

        Parameters
        ----------
        features
            Standardised features ``[N, ...]``; N may be smaller than D, the rest of the axes then stay unused.
        noise_variance
            Variance of each feature that the latents need not explain.
        """
        rows = features.flatten(1)
        # In double precision, which not every device has: this is small, and on the CPU.
        eigenvalues, vectors = torch.linalg.eigh((rows @ rows.T).cpu().double() / len(rows))
        count = min(self.axes.shape[0], len(rows))
        variance = eigenvalues.flip(0)[:count]
        kept = int((variance > _LEAST_VARIANCE * rows.shape[1]).sum())
        variance, vectors = variance[:kept], vectors.flip(1)[:, :kept]
        self.axes.zero_()
        self.spread.zero_()
        self.axes[:kept] = ((vectors / (variance * len(rows)).sqrt()).T.float().to(rows) @ rows).to(self.axes)
        self.spread[:kept] = variance.sqrt().to(self.spread)
        self.noise.fill_(max(noise_variance, _LEAST_NOISE))

    def encode(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean ``[B, D]`` and log-variance ``[D]`` of the latents' posterior."""
        variance = self.spread.square()
        with torch.autocast(features.device.type, enabled=False):
            scores = features.float().flatten(1) @ self.axes.T
        return scores * (self.spread / (variance + self.noise)), (self.noise / (variance + self.noise)).log()

    def decode(self, z: Tensor) -> Tensor:
        """Return flat features ``[B, size]`` of latents ``[B, D]``."""
        with torch.autocast(z.device.type, enabled=False):
            return (z.float() * self.spread) @ self.axes
