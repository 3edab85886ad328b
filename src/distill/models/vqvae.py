"""The convolutional autoencoder whose bottleneck is a grid of codes from residual codebooks.

Features are cut into patches of 16 bands by 16 frames.  A fixed linear map, fitted to the corpus once, describes each
patch by its principal components, whose distances are distances of features; convolutions add what needs a wider view.
What comes out is quantized level by level, each level coding what the last one left (Zeghidour et al. 2021,
"SoundStream", section III-C), and decoded by the transposed map and convolutions.
"""

import math

import torch
from torch import Tensor, nn

from distill.distributed.shared_batch import BatchSlice, current_slice, whole_batch
from distill.models.losses import multi_scale_loss as multi_scale_loss
from distill.models.losses import vqvae_loss as vqvae_loss
from distill.models.vae import scale_init_

#: Bands and frames that a code stands for: four layers halve four times.
PATCH = 16
#: Width of each stride-2 layer.
_CHANNELS = (32, 64, 128, 256)


class PatchAxes(nn.Module):
    """Linear map between patches of standardised features and their principal components; fitted once.

    Until `fit` is called it contributes nothing.
    """

    def __init__(self, codebook_dim: int) -> None:
        super().__init__()
        # A parameter that asks for no gradient: part of the saved state, and of no optimizer.
        self.axes = nn.Parameter(torch.zeros(codebook_dim, PATCH * PATCH), requires_grad=False)

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Find the axes of largest variance of the patches of features ``[N, 1, F, T]`` (F, T multiples of 16)."""
        patches = self._cut(features).reshape(-1, PATCH * PATCH)
        # In double precision, which not every device has.
        _, vectors = torch.linalg.eigh((patches.T @ patches).cpu().double() / len(patches))
        count = min(len(self.axes), PATCH * PATCH)
        self.axes.zero_()
        self.axes[:count] = vectors.flip(1)[:, :count].T.to(self.axes)

    @staticmethod
    def _cut(features: Tensor) -> Tensor:
        """Return patches ``[N, F/16, T/16, 256]``."""
        batch, _, bands, frames = features.shape
        grid = features.reshape(batch, bands // PATCH, PATCH, frames // PATCH, PATCH)
        return grid.permute(0, 1, 3, 2, 4).reshape(batch, bands // PATCH, frames // PATCH, PATCH * PATCH)

    def encode(self, features: Tensor) -> Tensor:
        """Return components ``[N, D, F/16, T/16]`` of features ``[N, 1, F, T]``."""
        with torch.autocast(features.device.type, enabled=False):
            return (self._cut(features.float()) @ self.axes.T).permute(0, 3, 1, 2)

    def decode(self, grid: Tensor) -> Tensor:
        """Return features ``[N, 1, F, T]`` of components ``[N, D, F/16, T/16]``."""
        with torch.autocast(grid.device.type, enabled=False):
            patches = grid.float().permute(0, 2, 3, 1) @ self.axes
        batch, rows, columns, _ = patches.shape
        cells = patches.reshape(batch, rows, columns, PATCH, PATCH).permute(0, 1, 3, 2, 4)
        return cells.reshape(batch, 1, rows * PATCH, columns * PATCH)


class CodebookQuantizer(nn.Module):
    """Residual vector quantization with a measure of how well the codebooks are used.

    Parameters are those of `ConvVQVAE`.
    """

    def __init__(
        self,
        codebook_dim: int,
        codebook_size: int,
        num_quantizers: int,
        decay: float,
        threshold_ema_dead_code: float,
        kmeans_init: bool,
        kmeans_iters: int,
    ) -> None:
        super().__init__()
        # Here, because it takes 1.3 s of processor time (torch's compiler, sympy), which other families do not need.
        from vector_quantize_pytorch import ResidualVQ

        self.codebook_size = codebook_size
        self.num_quantizers = num_quantizers
        self.codebooks = ResidualVQ(
            dim=codebook_dim,
            codebook_size=codebook_size,
            num_quantizers=num_quantizers,
            decay=decay,
            threshold_ema_dead_code=threshold_ema_dead_code,
            kmeans_init=kmeans_init,
            kmeans_iters=kmeans_iters,
            commitment_weight=1.0,
            sync_codebook=False,  # the library would draw other tokens for dead codes than one process does
        )

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return quantized tokens ``[B, P, D]``, codes ``[B, P, levels]`` and the commitment loss (scalar).

        The loss is the mean squared distance of what each level was given from the entry that it chose.
        """
        part = current_slice()
        if part is not None:
            return self._forward_slice(tokens, part)
        with torch.autocast(tokens.device.type, enabled=False):
            quantized, indices, losses, codes = self.codebooks(tokens.float(), return_all_codes=True)
        if self.training:
            return quantized, indices, losses.mean()
        # The library measures the commitment in training mode only; validation needs it as well.
        return quantized, indices, (tokens.float() - codes.cumsum(0)).square().mean()

    def _forward_slice(self, tokens: Tensor, part: BatchSlice) -> tuple[Tensor, Tensor, Tensor]:
        """Return `forward` of the own rows of a batch, after codebooks have learned from all of them.

        Each process does that with all tokens, which are few numbers: so codebooks, dead codes and random draws are
        those of one process, and stay the same on all.
        """
        with whole_batch():
            quantized, indices, commit_loss = self(part.whole(tokens.float()))
        return quantized[part.computed], indices[part.computed], part.of_whole(commit_loss)

    def decode(self, indices: Tensor) -> Tensor:
        """Return tokens ``[B, P, D]`` of codes ``[B, P, levels]``."""
        tokens: Tensor = self.codebooks.get_output_from_indices(indices)
        return tokens

    def get_codebook_utilization(self, indices: Tensor) -> dict[str, dict[str, float]]:
        """Return how each level is used by codes ``[B, P, levels]``.

        ``utilization`` is the share of entries that occur, ``perplexity`` the exponential of the entropy of their
        frequencies (as many entries, used equally, would carry as much), ``dead_codes`` the number that do not occur.
        """
        health = {}
        for level in range(indices.shape[-1]):
            counts = torch.bincount(indices[..., level].flatten(), minlength=self.codebook_size).cpu().double()
            share = counts / counts.sum().clamp_min(1)
            entropy = -(share * share.clamp_min(1e-12).log()).sum()
            used = int((counts > 0).sum())
            health[f"level_{level}"] = {
                "utilization": used / self.codebook_size,
                "perplexity": float(entropy.exp()),
                "dead_codes": self.codebook_size - used,
            }
        return health


class ConvVQVAE(nn.Module):
    """Convolutional autoencoder with a residual vector quantizer.

    Parameters
    ----------
    codebook_dim
        D, numbers that a code stands for.
    codebook_size, num_quantizers
        Entries of each codebook, and codebooks.
    decay
        Of the moving averages that the codebooks are.
    commitment_weight
        Weight of the commitment term; kept for `vqvae_loss`.
    threshold_ema_dead_code
        An entry that is used less often than this in a batch, on average, is replaced by a token of the batch.
    kmeans_init, kmeans_iters
        Whether and for how long the codebooks are first fitted by k-means.
    dropout
        Share of the values before the decoder that is left out in training.
    input_shape
        Bands F and frames T of the features.

    Raises
    ------
    ValueError
        A size is out of range.
    """

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(
        self,
        codebook_dim: int = 128,
        codebook_size: int = 256,
        num_quantizers: int = 3,
        decay: float = 0.95,
        commitment_weight: float = 0.25,
        threshold_ema_dead_code: float = 2,
        kmeans_init: bool = True,
        kmeans_iters: int = 10,
        dropout: float = 0.2,
        input_shape: tuple[int, int] = (128, 94),
    ) -> None:
        super().__init__()
        for name, value in (("codebook_dim", codebook_dim), ("num_quantizers", num_quantizers)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}.")
        if codebook_size < 2:
            raise ValueError(f"codebook_size must be at least 2, not {codebook_size!r}.")
        self.codebook_dim, self.commitment_weight = codebook_dim, commitment_weight
        self.input_shape = (input_shape[0], input_shape[1])
        self.grid = (math.ceil(input_shape[0] / PATCH), math.ceil(input_shape[1] / PATCH))
        self.padding = (0, self.grid[1] * PATCH - input_shape[1], 0, self.grid[0] * PATCH - input_shape[0])
        self.patches = PatchAxes(codebook_dim)
        self.encoder = _encoder(codebook_dim)
        self.quantizer = CodebookQuantizer(
            codebook_dim, codebook_size, num_quantizers, decay, threshold_ema_dead_code, kmeans_init, kmeans_iters
        )
        self.dropout = nn.Dropout2d(dropout)
        self.decoder = _decoder(codebook_dim)
        self.register_buffer("feature_mean", torch.zeros(1, input_shape[0], 1))
        self.register_buffer("feature_std", torch.ones(1, 1, 1))

    @torch.no_grad()
    def fit_statistics(self, features: Tensor) -> None:
        """Tell a new model what its corpus looks like: mean, spread, patches, and the first codebooks.

        ``features`` are those of training sounds, ``[N, 1, F, T]``.
        """
        mean = features.mean((0, 3))[:, :, None]
        self.feature_mean.copy_(mean)
        self.feature_std.copy_((features - mean).square().mean((0, 2, 3)).sqrt().clamp_min(1e-3)[:, None, None])
        standard = self.standardize(features.to(self.feature_mean))
        self.patches.fit(nn.functional.pad(standard, self.padding, mode="replicate"))
        was_training = self.training
        self.train()
        self.quantizer(self._tokens(standard))  # the k-means start, on many sounds instead of one batch
        self.train(was_training)

    def standardize(self, x: Tensor) -> Tensor:
        """Return features ``[B, 1, F, T]`` with the corpus's mean taken out and its spread brought to 1."""
        return (x - self.feature_mean) / self.feature_std

    def _tokens(self, standard: Tensor) -> Tensor:
        padded = nn.functional.pad(standard, self.padding, mode="replicate") if any(self.padding) else standard
        grid: Tensor = self.patches.encode(padded) + self.encoder(padded).float()
        return grid.flatten(2).transpose(1, 2)

    def _features(self, tokens: Tensor) -> Tensor:
        grid = tokens.transpose(1, 2).reshape(-1, self.codebook_dim, *self.grid)
        output = self.patches.decode(grid) + self.decoder(self.dropout(grid)).float()
        features: Tensor = (
            output[:, :, : self.input_shape[0], : self.input_shape[1]] * self.feature_std + self.feature_mean
        )
        return features

    def _check(self, mel: Tensor) -> None:
        if mel.ndim != 4 or tuple(mel.shape[1:]) != (1, *self.input_shape):
            raise ValueError(f"mel must have the shape [B, 1, {self.input_shape[0]}, {self.input_shape[1]}], "
                             f"not {list(mel.shape)}.")  # fmt: skip

    def encode(self, mel: Tensor) -> Tensor:
        """Return codes ``[B, positions, levels]`` of features ``[B, 1, F, T]``; positions go row by row of the grid.

        In training mode this also updates the codebooks.

        Raises
        ------
        ValueError
            The features have another shape than the model.
        """
        return self.quantize(self.tokens(mel))

    def tokens(self, mel: Tensor) -> Tensor:
        """Return the encoder's grid ``[B, positions, D]`` of features ``[B, 1, F, T]``, before it is quantized.

        Raises
        ------
        ValueError
            The features have another shape than the model.
        """
        self._check(mel)
        return self._tokens(self.standardize(mel))

    def quantize(self, tokens: Tensor) -> Tensor:
        """Return the codes ``[B, positions, levels]`` nearest to tokens ``[B, positions, D]``."""
        indices: Tensor = self.quantizer(tokens)[1]
        return indices

    def decode(self, indices: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Return features ``[B, 1, F, T]`` of codes ``[B, positions, levels]``.

        With the tokens ``[B, positions, D]`` that were quantized, the features have derivatives by them.
        """
        quantized: Tensor = self.quantizer.decode(indices)
        if tokens is not None:
            quantized = tokens + (quantized - tokens).detach()
        features: Tensor = self._features(quantized)
        return features

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(recon, indices, commit_loss)`` of features ``[B, 1, F, T]``."""
        return self.through_codes(self.tokens(mel))

    def through_codes(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(recon, indices, commit_loss)`` of the encoder's grid ``[B, positions, D]``."""
        quantized, indices, commit_loss = self.quantizer(tokens)
        return self._features(quantized), indices, commit_loss


def _encoder(codebook_dim: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    before = 1
    for width in _CHANNELS:
        layers += [nn.Conv2d(before, width, 4, stride=2, padding=1), nn.GroupNorm(1, width), nn.SiLU()]
        before = width
    last = nn.Conv2d(before, codebook_dim, 1)
    scale_init_(last)
    return nn.Sequential(*layers, last)


def _decoder(codebook_dim: int) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(codebook_dim, _CHANNELS[-1], 3, padding=1),
        nn.GroupNorm(1, _CHANNELS[-1]),
        nn.SiLU(),
    ]
    for width, after in zip(_CHANNELS[:0:-1], _CHANNELS[-2::-1], strict=True):
        layers += [nn.ConvTranspose2d(width, after, 4, stride=2, padding=1), nn.GroupNorm(1, after), nn.SiLU()]
    last = nn.ConvTranspose2d(_CHANNELS[0], 1, 4, stride=2, padding=1)
    scale_init_(last)
    return nn.Sequential(*layers, last)
