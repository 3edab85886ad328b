"""The convolutional variational autoencoder of the Mel VAE and of the Complex VAE: its layers, and its linear part.

Every size is known when the network is built, so that a saved state always has a network to go into.  The model knows
what the corpus looks like that it was trained on: mean and spread (two buffers) and its principal axes.  It takes and
gives features in the fixed scale of the representation, and works inside on standardised ones.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from distill.models.losses import sample_posterior

#: Values that the bottleneck keeps for each latent when it is squeezed before the dense layers.
_VALUES_PER_LATENT = 48
#: Bounds of the posterior's log-variance: beyond them a step's noise or KL overflows in half precision.
_LOGVAR_LIMIT = 12.0
#: Side of the kernel, and its stride: each position is seen by four.
KERNEL, STRIDE = 4, 2
#: Most positions, on the smaller side, of a grid on which a matrix product is quicker.
_FEW_POSITIONS = 16
#: Sounds are centred before; directions with less variance than this are noise of the arithmetic.
_LEAST_VARIANCE = 1e-6
#: Bounds the noise variance from below, for runs with no KL weight.
_LEAST_NOISE = 1e-2


def _check_shape(latent_dim: int, in_channels: int, channels: Sequence[int], input_shape: tuple[int, int]) -> None:
    for name, value in (("latent_dim", latent_dim), ("in_channels", in_channels)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value!r}.")
    if not channels or min(channels) < 1:
        raise ValueError(f"channels must be one or more positive numbers, not {tuple(channels)!r}.")
    if len(input_shape) != 2 or min(input_shape) < 1:
        raise ValueError(f"input_shape must be (bands, frames), both positive, not {input_shape!r}.")


def bottleneck_shape(channels: Sequence[int], input_shape: tuple[int, int]) -> tuple[int, int, int]:
    """Return channels, bands and frames behind the last layer: each layer halves the input, which is padded to fit."""
    factor = 2 ** len(channels)
    return channels[-1], math.ceil(input_shape[0] / factor), math.ceil(input_shape[1] / factor)


def _squeezed_width(latent_dim: int, shape: tuple[int, int, int]) -> int:
    """Return the channels that the bottleneck is squeezed to by a 1x1 layer, so that the dense layers stay small."""
    return min(shape[0], math.ceil(_VALUES_PER_LATENT * latent_dim / (shape[1] * shape[2])))


def _sum_of(linear: tuple[Tensor, Tensor], more: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the posterior of the linear part and the network's addition."""
    return linear[0] + more[0], (linear[1] + more[1]).clamp(-_LOGVAR_LIMIT, _LOGVAR_LIMIT)


@torch.no_grad()
def scale_init_(layer: nn.Module) -> None:
    """Bring a layer's start near zero."""
    for parameter in layer.parameters():
        parameter.mul_(0.1)


class Downsample(nn.Conv2d):
    """Convolution that halves an even number of bands and of frames, quick on every grid.

    On a processor, libraries lay convolutions out over the grid; where that is a handful of positions and the channels
    are many, as at the bottleneck of the Complex VAE, one matrix product does the same two to three times as fast (512
    to 1024 channels on 4 x 3 positions, forward and backward, two cores: 45 instead of 83 ms, and 51 instead of 111 ms
    transposed).  Parameters, names and results are those of the layer it stands for.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, KERNEL, stride=STRIDE, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[B, out, F / 2, T / 2]`` of ``[B, in, F, T]``."""
        batch, channels, bands, frames = x.shape
        if not _is_small(x, bands * frames // STRIDE**2):
            return super().forward(x)
        padded = nn.functional.pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1).contiguous()  # one copy, then whole pixels
        patches = padded.unfold(1, KERNEL, STRIDE).unfold(2, KERNEL, STRIDE)
        rows = nn.functional.linear(patches.reshape(-1, channels * KERNEL**2), self.weight.flatten(1), self.bias)
        return rows.view(batch, bands // STRIDE, frames // STRIDE, -1).permute(0, 3, 1, 2)


class Upsample(nn.ConvTranspose2d):
    """Transposed convolution that doubles bands and frames; quick on every grid, as `Downsample` is."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, KERNEL, stride=STRIDE, padding=1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return ``[B, out, 2 F, 2 T]`` of ``[B, in, F, T]``."""
        batch, channels, bands, frames = x.shape
        if output_size is not None or not _is_small(x, bands * frames):
            return super().forward(x, output_size)
        rows = x.permute(0, 2, 3, 1).reshape(-1, channels) @ self.weight.flatten(1)
        patches = rows.view(batch, bands * frames, -1).transpose(1, 2)
        size = (STRIDE * bands, STRIDE * frames)
        summed = nn.functional.fold(patches, size, KERNEL, stride=STRIDE, padding=1)
        return summed if self.bias is None else summed + self.bias[:, None, None].to(summed.dtype)


def _is_small(x: Tensor, positions: int) -> bool:
    return x.device.type == "cpu" and positions <= _FEW_POSITIONS


class PCAProjection(nn.Module):
    """Linear map between standardised features and latents: the principal axes of the corpus, fitted in closed form.

    Probabilistic PCA is the exact optimum of a linear variational autoencoder (Tipping and Bishop 1999; Lucas, Tucker,
    Grosse and Norouzi 2019, "Don't blame the ELBO!").  A few hundred sounds give it in a second, and it generalises
    better than what a convolutional network learns in the first minutes: on held-out sounds 7.7 dB of mel distance
    before any training, where the network alone stood at 8.9 dB after 18 000 chunks (one run each, one corpus).  So
    the network starts from it and learns only what a linear map cannot do.  The latents are used from the first step
    on, which keeps the posterior from collapsing.

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


class ConvEncoder(nn.Module):
    """Predicts what the principal axes miss of the posterior of the latents.

    The last layer starts near zero: a new model is nearly its linear part.

    Parameters
    ----------
    latent_dim
        D, latents.
    dropout
        Share of the bottleneck's values that is left out in training.
    in_channels
        C, feature channels.
    channels
        Width of each stride-2 layer.
    input_shape
        Bands and frames of the features.
    """

    def __init__(
        self, latent_dim: int, dropout: float, in_channels: int, channels: Sequence[int], input_shape: tuple[int, int]
    ) -> None:
        super().__init__()
        shape = bottleneck_shape(channels, input_shape)
        wide, bands, frames = shape
        narrow = _squeezed_width(latent_dim, shape)
        factor = 2 ** len(channels)
        self.padding = (0, frames * factor - input_shape[1], 0, bands * factor - input_shape[0])
        layers: list[nn.Module] = []
        before = in_channels
        for width in channels:
            layers += [Downsample(before, width), nn.GroupNorm(1, width), nn.SiLU()]
            before = width
        layers += [nn.Conv2d(wide, narrow, 1), nn.SiLU()]
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.posterior = nn.Linear(narrow * bands * frames, 2 * latent_dim)
        scale_init_(self.posterior)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(mu, logvar)``, each ``[B, D]``, of standardised features ``[B, C, F, T]``."""
        return self.read(self.dropout(self.hidden(x)))

    def hidden(self, x: Tensor) -> Tensor:
        """Return the output of the convolutions for standardised features, flattened."""
        padded = nn.functional.pad(x, self.padding, mode="replicate") if any(self.padding) else x
        return self.layers(padded).flatten(1)  # type: ignore[no-any-return]

    def read(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(mu, logvar)``, each ``[B, D]``, of the output of `hidden`."""
        mu, logvar = self.posterior(hidden).float().chunk(2, dim=1)
        return mu, logvar


class ConvDecoder(nn.Module):
    """Decodes latents to what the principal axes miss of the features; the mirror of `ConvEncoder`."""

    def __init__(
        self, latent_dim: int, dropout: float, in_channels: int, channels: Sequence[int], input_shape: tuple[int, int]
    ) -> None:
        super().__init__()
        wide, bands, frames = bottleneck_shape(channels, input_shape)
        narrow = _squeezed_width(latent_dim, (wide, bands, frames))
        self.shape = (narrow, bands, frames)
        self.input_shape = input_shape
        self.expand = nn.Linear(latent_dim, math.prod(self.shape))
        self.dropout = nn.Dropout(dropout)
        layers: list[nn.Module] = [nn.Conv2d(narrow, wide, 1), nn.GroupNorm(1, wide), nn.SiLU()]
        for width, after in zip(channels[:0:-1], channels[-2::-1], strict=True):
            layers += [Upsample(width, after), nn.GroupNorm(1, after), nn.SiLU()]
        last = Upsample(channels[0], in_channels)
        scale_init_(last)
        layers.append(last)
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """Return standardised features ``[B, C, F, T]`` of latents ``[B, D]``."""
        hidden = self.dropout(self.expand(z)).view(-1, *self.shape)
        bands, frames = self.input_shape
        features: Tensor = self.layers(hidden)[:, :, :bands, :frames]
        return features


class ConvVAE(nn.Module):
    """Convolutional variational autoencoder; the defaults are the mel model.

    Parameters
    ----------
    latent_dim
        D, latents.
    dropout
        Share of the values around the latents that is left out in training.
    in_channels
        C, feature channels.
    channels
        Width of each stride-2 layer.
    input_shape
        Bands F and frames T of the features; they are padded inside to a multiple of what the layers halve.

    Raises
    ------
    ValueError
        A size is not positive.
    """

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(
        self,
        latent_dim: int = 64,
        dropout: float = 0.2,
        in_channels: int = 1,
        channels: Sequence[int] = (32, 64, 128, 256),
        input_shape: tuple[int, int] = (128, 94),
    ) -> None:
        super().__init__()
        _check_shape(latent_dim, in_channels, channels, input_shape)
        self.latent_dim = latent_dim
        self.in_channels = in_channels
        self.channels = tuple(channels)
        self.input_shape = (input_shape[0], input_shape[1])
        self.encoder = ConvEncoder(latent_dim, dropout, in_channels, channels, self.input_shape)
        self.decoder = ConvDecoder(latent_dim, dropout, in_channels, channels, self.input_shape)
        self.principal = PCAProjection(latent_dim, in_channels * input_shape[0] * input_shape[1])
        self.register_buffer("feature_mean", torch.zeros(in_channels, input_shape[0], 1))
        self.register_buffer("feature_std", torch.ones(in_channels, 1, 1))

    def fit_statistics(self, features: Tensor, noise_variance: float, importance: Sequence[float] = (1.0,)) -> None:
        """Tell a new model what its corpus looks like: mean and spread, and the axes in which the sounds differ.

        Parameters
        ----------
        features
            Features of training sounds, ``[N, C, F, T]``.
        noise_variance
            See `PCAProjection.fit`.
        importance
            Spread to which each channel is brought, or all of them: the axes follow the channels that have more.
        """
        mean = features.mean((0, 3))[:, :, None]
        self.feature_mean.copy_(mean)
        spread = (features - mean).square().mean((0, 2, 3)).sqrt().clamp_min(1e-3)
        self.feature_std.copy_((spread / spread.new_tensor(importance))[:, None, None])
        self.principal.fit(self.standardize(features.to(self.feature_mean)), noise_variance)

    def standardize(self, x: Tensor) -> Tensor:
        """Return features ``[B, C, F, T]`` with the corpus's mean taken out and its spread brought to 1."""
        return (x - self.feature_mean) / self.feature_std

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior ``(mu, logvar)``, each ``[B, D]``, of features ``[B, C, F, T]``.

        Raises
        ------
        ValueError
            The features have another shape than the model.
        """
        self._check(x)
        standard = self.standardize(x)
        return _sum_of(self.principal.encode(standard), self.encoder(standard))

    def _check(self, x: Tensor) -> None:
        if x.ndim != 4 or tuple(x.shape[1:]) != (self.in_channels, *self.input_shape):
            expected = ", ".join(map(str, (self.in_channels, *self.input_shape)))
            raise ValueError(f"features must have the shape [B, {expected}], not {list(x.shape)}.")

    def forward_with_posterior(self, x: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return the result of `forward`, and the posterior ``(mu, logvar)`` without dropout, detached.

        The second costs little beside the first: the convolutions run once.
        """
        self._check(x)
        standard = self.standardize(x)
        linear, hidden = self.principal.encode(standard), self.encoder.hidden(standard)
        mu, logvar = _sum_of(linear, self.encoder.read(self.encoder.dropout(hidden)))
        z = sample_posterior(mu, logvar) if self.training else mu
        with torch.no_grad():
            clean = _sum_of(linear, self.encoder.read(hidden))
        return (self.decode(z), mu, logvar), clean

    def decode(self, z: Tensor) -> Tensor:
        """Return features ``[B, C, F, T]`` (float32) of latents ``[B, D]``."""
        linear = self.principal.decode(z).view(-1, self.in_channels, *self.input_shape)
        features: Tensor = (self.decoder(z).float() + linear) * self.feature_std + self.feature_mean
        return features

    def sample(
        self,
        n: int,
        device: torch.device | str,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Return features ``[n, C, F, T]`` of ``n`` latents drawn from the standard normal.

        ``generator`` (on the CPU) makes the draw repeatable on every device; without one torch's own is used.
        ``temperature`` is the spread of the draw: under 1 nearer to the typical sound, over 1 further from it.
        """
        z = torch.randn(n, self.latent_dim, generator=generator) * temperature
        return self.decode(z.to(device))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(recon, mu, logvar)``; in eval mode the latents are the posterior's mean."""
        mu, logvar = self.encode(x)
        z = sample_posterior(mu, logvar) if self.training else mu
        return self.decode(z), mu, logvar
