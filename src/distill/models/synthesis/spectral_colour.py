"""The colour of new sounds: a broad, smooth change of their spectrum, another one for each sound.

A prior that has learned from few sounds draws points near theirs, and what is decoded has their spectra.  Real sounds
of one kind differ in colour as well: by the body of the instrument, the room, the microphone.  A colour is a random
curve over the bands, in decibels, made of a few cosines, so that its mean is 0 and it has no edges.
"""

import math

import torch
from torch import Tensor

#: Spread of a colour in decibels, at the reaches of `distill.models.priors.window_prior.at_reach`.
SPREAD_DB = (2.0, 7.5, 9.0)
#: How broad the hills and valleys of a colour are, as a share of the bands, and cosines that it is made of.
_COLOUR_BREADTH, _COSINES = 24 / 128, 6


def draw_colours(count: int, bands: int, spread_db: float, generator: torch.Generator) -> Tensor:
    """Return colours ``[count, bands]`` in decades of amplitude, as features have them.

    The weights of the cosines are those of a Gaussian process with a squared exponential kernel, whose length is the
    breadth (Rasmussen and Williams 2006, "Gaussian processes for machine learning", eq. 4.9 and its spectral density).

    Parameters
    ----------
    count, bands
        How many, and over how many bands.
    spread_db
        Standard deviation over bands and colours, in decibels.
    generator
        On the CPU.
    """
    frequencies = math.pi * torch.arange(1, _COSINES + 1)
    cosine_spread = torch.exp(-((frequencies * _COLOUR_BREADTH) ** 2) / 4)
    cosine_spread = cosine_spread * (spread_db / 20) / (cosine_spread.square().sum() / 2).sqrt()
    position = (torch.arange(bands) + 0.5) / bands
    cosine_weights = torch.randn(count, _COSINES, generator=generator) * cosine_spread
    return cosine_weights @ torch.cos(frequencies[:, None] * position)


def coloured(features: Tensor, colour: Tensor, floor: float) -> Tensor:
    """Return features ``[C, F, T]``, of which the first channel is the magnitude, with a colour ``[F]``.

    ``floor`` is the lowest magnitude that there is.
    """
    magnitude = (features[:1] + colour.to(features)[:, None]).clamp_min(floor)
    return torch.cat([magnitude, features[1:]])
