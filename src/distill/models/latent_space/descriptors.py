"""Describes features by numbers: what a listener would say of them, the levels of patches, and their texture.

What a listener would say can be differentiated.  Patches tell one sound from another, textures do not.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from distill.audio.stft_and_mel import CENTRE
from distill.models.families.family import ModelFamily

#: Power under the loudest band and frame below which nothing counts: -80 dB.
_FLOOR = 1e-8
#: Level under the loudest frame down to which a frame belongs to the sound, and the softness of that limit, in dB.
_LENGTH_DB, _LENGTH_SOFTNESS_DB = -30.0, 3.0

#: Loudness grows with about this power of the energy in a band (Zwicker and Fastl 1999, "Psychoacoustics").
_LOUDNESS_EXPONENT = 0.25

#: Decades under the loudest point below which levels do not count.
AUDIBLE_DECADES = 3.5
#: Side of the patches that are described, in bands and frames.
_PATCH = 16
#: Bands that are described together in a texture.
_TEXTURE_BANDS = 8

#: Names of the descriptors, in order, and what a higher value means.
DESCRIPTORS: dict[str, str] = {
    "brightness": "Brighter: more energy in the high bands.",
    "attack": "Softer attack: the sound takes longer to reach its full level.",
    "noisiness": "Noisier: energy in all bands instead of in a few.",
    "length": "Longer: more of the sound is loud.",
    "loudness": "Louder: a higher mean level.",
}


_BATCH = 32


@dataclass(frozen=True)
class DecodedChunks:
    """What a network makes of chunks.

    Attributes
    ----------
    points
        ``[N, P]``.
    magnitude
        First channel of the decoded features, ``[N, F, T]``.
    described
        `describe` of the decoded features, ``[N, 5]``.
    """

    points: Tensor
    magnitude: Tensor
    described: Tensor

    def every(self, step: int) -> "DecodedChunks":
        """Return one of ``step`` chunks."""
        return DecodedChunks(self.points[::step], self.magnitude[::step], self.described[::step])


@torch.no_grad()
def decode_chunks(family: ModelFamily, network: nn.Module, features: Tensor) -> DecodedChunks:
    """Return what a network in eval mode makes of the features ``[N, C, F, T]`` of chunks, on the CPU."""
    device = next(network.parameters()).device
    points, magnitude, described = [], [], []
    for batch in torch.split(features, _BATCH):
        points.append(family.points(network, batch.to(device)))
        decoded = family.from_points(network, points[-1])
        magnitude.append(decoded[:, 0].float().cpu())
        described.append(describe(decoded).cpu())
    return DecodedChunks(torch.cat(points).float().cpu(), torch.cat(magnitude), torch.cat(described))


def describe(features: Tensor) -> Tensor:
    """Return the descriptors ``[B, 5]`` of features ``[B, C, F, T]``, in the order of `DESCRIPTORS`.

    Brightness is the mean band (0 to 1), weighted by loudness.  Attack is the logarithm of the time by which the level
    lags behind its maximum.  Noisiness is the spectral flatness in decibels, weighted by energy.  Length is the
    logarithm of the share of frames within 30 dB of the loudest one.  Loudness is the mean level in decibels.
    """
    level = features[:, 0].float() - CENTRE
    top = level.amax((1, 2), keepdim=True)
    power = torch.pow(10.0, 2 * (level - top)).clamp_min(_FLOOR)
    energy = power.sum(1)
    total = energy.sum(1)
    bands = torch.linspace(0, 1, power.shape[1], device=power.device)
    loud = power.pow(_LOUDNESS_EXPONENT).sum(2)
    brightness = (loud @ bands) / loud.sum(1)
    reached = energy.cummax(1).values / energy.amax(1, keepdim=True)
    attack = ((1 - reached).mean(1) + 0.01).log()
    flatness = 10 * (power.log10().mean(1) - power.mean(1).log10())
    noisiness = (flatness * energy).sum(1) / total
    below = 10 * (energy / energy.amax(1, keepdim=True)).log10()
    length = (torch.sigmoid((below - _LENGTH_DB) / _LENGTH_SOFTNESS_DB).mean(1) + 0.02).log()
    loudness = 10 * energy.mean(1).log10() + 20 * top[:, 0, 0]
    return torch.stack([brightness, attack, noisiness, length, loudness], 1)


def describe_patches(features: Tensor) -> Tensor:
    """Return the levels of patches ``[B, numbers]`` of features ``[B, C, F, T]``, of which the first channel counts."""
    # Columns first, so that a longer sound begins with the numbers of a shorter one.
    return functional.avg_pool2d(_audible_levels(features), _PATCH, ceil_mode=True).transpose(2, 3).flatten(1)


def describe_texture(features: Tensor) -> Tensor:
    """Return the texture ``[B, numbers]`` of features ``[B, C, F, T]``, of which the first channel counts.

    For each group of bands: its mean level, how much that varies in time, and the mean step from frame to frame and
    from band to band.  The steps tell a blurred spectrum from a recorded one.
    """
    relative = _audible_levels(features)[:, 0]
    in_time = (relative[:, :, 1:] - relative[:, :, :-1]).abs().mean(2)
    in_frequency = functional.pad((relative[:, 1:] - relative[:, :-1]).abs().mean(2), (0, 1))
    measured = torch.stack([relative.mean(2), relative.std(2), in_time, in_frequency], 1)
    return functional.avg_pool1d(measured, _TEXTURE_BANDS, ceil_mode=True).flatten(1)


def _audible_levels(features: Tensor) -> Tensor:
    """Return the levels ``[B, 1, F, T]`` of features, from the loudest point down to what is heard."""
    level = features[:, :1].float()
    return (level - level.amax((2, 3), keepdim=True)).clamp_min(-AUDIBLE_DECADES)
