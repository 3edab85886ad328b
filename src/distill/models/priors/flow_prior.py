"""A flow-matching prior: draws latents as a corpus has them.

Rectified flow (Liu, Gong and Liu 2023, "Flow straight and fast"; Lipman et al. 2023, "Flow matching for generative
modelling").  A point moves from Gaussian noise (time 0) to a latent (time 1) along a velocity field.  For a Gaussian
corpus the field is known in closed form; it is the start, and a small network learns only what is not Gaussian.  A
prior that has been fitted and never trained therefore draws from the Gaussian of the corpus.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

#: Numbers that describe a time to the network, and the highest frequency of them.
_TIME_FEATURES = 64
_TIME_FREQUENCY = 20.0
#: Factor on the first weights of the points.  The closed form holds all that is linear, so a network in its linear
#: range has nothing to learn from: with 1 the loss stays at 1.76 for 500 steps, with 3 it falls to 1.29.  With the
#: same in mind the first weights of the blocks are doubled (1.23).
_POINT_GAIN, _BLOCK_GAIN = 3.0, 2.0
#: Directions with less variance than this share of the mean one are constant for all practical purposes.
_LEAST_VARIANCE = 1e-6
#: Most blocks of a prior that is read from a file; those that are written have three.
_MOST_BLOCKS = 64
#: Steps of the integration (Heun's method: two evaluations each).
STEPS = 12


class _Block(nn.Module):
    """Residual layer: normalised, widened, narrowed."""

    def __init__(self, width: int, widening: int = 2) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, widening * width)
        self.narrow = nn.Linear(widening * width, width)
        with torch.no_grad():
            self.widen.weight *= _BLOCK_GAIN
            self.narrow.weight *= _BLOCK_GAIN

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.narrow(nn.functional.silu(self.widen(self.norm(x))))
        return x + changed


class FlowPrior(nn.Module):
    """Distribution of latents that can be fitted, trained and drawn from.

    Parameters
    ----------
    dim
        D, numbers in a latent.
    condition_dim
        Numbers of a condition that comes with each latent; 0 for none.
    width, blocks
        Size of the network.

    Raises
    ------
    ValueError
        A size is out of range.
    """

    mean: Tensor
    root: Tensor
    inverse_root: Tensor
    is_fitted: Tensor

    def __init__(self, dim: int, condition_dim: int = 0, width: int = 384, blocks: int = 3) -> None:
        super().__init__()
        if dim < 1 or condition_dim < 0 or width < 1 or blocks < 1:
            raise ValueError(f"Sizes of a prior must be positive, not {(dim, condition_dim, width, blocks)!r}.")
        self.dim, self.condition_dim = dim, condition_dim
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("root", torch.eye(dim))
        self.register_buffer("inverse_root", torch.eye(dim))
        self.register_buffer("is_fitted", torch.zeros((), dtype=torch.bool))
        self.enter = nn.Linear(dim + _TIME_FEATURES + condition_dim, width)
        with torch.no_grad():
            self.enter.weight[:, :dim] *= _POINT_GAIN
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, dim))
        for parameter in self.leave[1].parameters():
            nn.init.zeros_(parameter)

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "FlowPrior":
        """Return a prior with the sizes and the contents of a state dict.

        Raises
        ------
        AttributeError, IndexError, KeyError, RuntimeError, ValueError
            The state is not one of a prior.
        """
        prior = cls(*cls.sizes_of(state))
        prior.load_state_dict(dict(state))
        return prior

    @staticmethod
    def sizes_of(state: Mapping[str, Any], prefix: str = "") -> tuple[int, int, int, int]:
        """Return the constructor's sizes of a state dict, whose keys begin with ``prefix``.

        What takes memory by the square of a size must be there in this size: a small file makes no large network.

        Raises
        ------
        AttributeError, IndexError, KeyError, ValueError
            The state is not one of a prior.
        """
        width, inputs = state[f"{prefix}enter.weight"].shape
        dim = state[f"{prefix}mean"].shape[0]
        start = f"{prefix}blocks."
        numbers = {key.removeprefix(start).partition(".")[0] for key in state if key.startswith(start)}
        squares = [state[f"{start}{number}.widen.weight"].shape for number in numbers]
        if state[f"{prefix}root"].shape != (dim, dim) or any(shape[1:] != (width,) for shape in squares):
            raise ValueError("sizes that do not fit each other")
        if len(numbers) > _MOST_BLOCKS:
            raise ValueError(f"{len(numbers)} blocks")
        return dim, inputs - dim - _TIME_FEATURES, width, len(numbers)

    @torch.no_grad()
    def fit(self, mean: Tensor, variance: Tensor | None = None, weights: Tensor | None = None) -> None:
        """Take mean and covariance from latents: in closed form, and as often as wanted.

        The whitening is the symmetric root of the covariance, so that it changes smoothly when latents do: what the
        network has learned stays valid when the prior is fitted again in the course of a training.

        Parameters
        ----------
        mean
            Latents, or the means of their posteriors, ``[N, D]``.
        variance
            Variances of the posteriors, ``[N, D]``; None for points.
        weights
            How much each counts, ``[N]``; None for all alike.
        """
        points = mean.detach().cpu().double()
        share = torch.ones(len(points), dtype=torch.double) if weights is None else weights.detach().cpu().double()
        share = share / share.sum()
        centre = share @ points
        spread = points - centre
        covariance = (spread * share[:, None]).T @ spread
        if variance is not None:
            covariance += torch.diag(share @ variance.detach().cpu().double())
        eigenvalues, vectors = torch.linalg.eigh(covariance)
        floor = _LEAST_VARIANCE * float(eigenvalues.mean().clamp_min(1e-12))
        spreads = eigenvalues.clamp_min(floor).sqrt()
        self.mean.copy_(centre.float())
        self.root.copy_(((vectors * spreads) @ vectors.T).float())
        self.inverse_root.copy_(((vectors / spreads) @ vectors.T).float())
        self.is_fitted.fill_(True)

    def whiten(self, latents: Tensor) -> Tensor:
        """Return latents ``[B, D]`` in the basis in which the corpus's Gaussian is the standard normal."""
        return (latents - self.mean) @ self.inverse_root

    def unwhiten(self, points: Tensor) -> Tensor:
        """Undo `whiten`."""
        return points @ self.root + self.mean

    def velocity(self, points: Tensor, time: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the velocity ``[B, D]`` of whitened points ``[B, D]`` at times ``[B]``."""
        time = time[:, None]
        gaussian = (2 * time - 1) / (time.square() + (1 - time).square()) * points
        return gaussian + self._learned(points, time, condition)

    def _learned(self, points: Tensor, time: Tensor, condition: Tensor | None) -> Tensor:
        rates = torch.exp(torch.linspace(0, math.log(_TIME_FREQUENCY), _TIME_FEATURES // 2, device=points.device))
        turns = time * rates
        # A point of the Gaussian has this spread at this time: brought to 1, the network sees all times alike.
        even = points / (time.square() + (1 - time).square()).sqrt()
        parts = [even, turns.sin(), turns.cos()]
        if self.condition_dim:
            parts.append(points.new_zeros(len(points), self.condition_dim) if condition is None else condition)
        hidden = self.enter(torch.cat(parts, 1))
        for block in self.blocks:
            hidden = block(hidden)
        learned: Tensor = self.leave(hidden)
        return learned.float()

    def loss(
        self, latents: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return the flow-matching loss of latents ``[B, D]`` (scalar).

        Times are drawn from a logit-normal distribution (Esser et al. 2024, "Scaling rectified flow transformers"):
        the middle of the way, where the field is hardest, gets most of them.  ``generator`` is on the CPU; None is
        torch's own.
        """
        target = self.whiten(latents)
        noise = torch.randn(target.shape, generator=generator).to(target)
        time = torch.sigmoid(torch.randn(len(target), generator=generator)).to(target)
        points = time[:, None] * target + (1 - time[:, None]) * noise
        return (self.velocity(points, time, condition) - (target - noise)).square().mean()

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
        condition: Tensor | None = None,
        steps: int = STEPS,
    ) -> Tensor:
        """Return new latents ``[count, D]``.

        Parameters
        ----------
        count
            How many.
        generator
            On the CPU; makes the draw repeatable on every device.
        temperature
            Spread of the noise that the flow starts from: 0 gives the one most typical latent, 1 the corpus.
        condition
            ``[count, condition_dim]``, or None.
        steps
            Steps of the integration.
        """
        noise = torch.randn(count, self.dim, generator=generator).to(self.mean) * temperature
        return self.unwhiten(self._integrate(noise, noise.new_zeros(count), condition, steps))

    @torch.no_grad()
    def renew(
        self,
        latents: Tensor,
        strength: Tensor,
        noise: Tensor,
        condition: Tensor | None = None,
        steps: int = STEPS,
    ) -> Tensor:
        """Return latents ``[B, D]`` near given ones: noise is mixed in, and flows out again.

        Parameters
        ----------
        latents
            ``[B, D]``.
        strength
            Share of the noise, ``[B]``: 0 returns the latents, 1 new ones that have nothing to do with them.
        noise
            From the standard normal, ``[B, D]``.
        condition
            ``[B, condition_dim]``, or None.
        steps
            Steps of the integration from noise alone; less noise needs fewer.
        """
        share = strength[:, None]
        mixed = (1 - share) * self.whiten(latents) + share * noise
        most = float(strength.max())
        return self.unwhiten(self._integrate(mixed, 1 - strength, condition, max(1, math.ceil(steps * most))))

    def _integrate(self, points: Tensor, begin: Tensor, condition: Tensor | None, steps: int) -> Tensor:
        """Follow the velocity from times ``begin`` ``[B]`` to time 1 by Heun's method."""
        step = (1.0 - begin) / steps
        wide = step[:, None]
        for number in range(steps):
            now = begin + number * step
            first = self.velocity(points, now, condition)
            second = self.velocity(points + wide * first, now + step, condition)
            points = points + (wide / 2) * (first + second)
        return points
