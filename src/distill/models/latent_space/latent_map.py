"""The two-dimensional map of a model's sounds: where each chunk lies, and what lies between them.

The map is laid out by how similar the model's own copies sound: distances are those of decoded features, not of raw
latents, which count a latent that changes little as much as one that changes everything.  It is computed once, when
the model is saved, and stored in the model file.  Names and paths of sounds are not stored; a sound is known by its
number and by a hash of its content.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from distill.models.latent_space.descriptors import DESCRIPTORS, DecodedChunks
from distill.models.latent_space.tsne import lay_out, principal_scores, trustworthiness

#: Principal axes of the decoded features that are compared.
_COMPARED_AXES = 32
#: Points with more numbers than this are stored by their scores on so many principal axes.
_MOST_NUMBERS, _STORED_AXES = 512, 96
#: Least squared length of an axis that is divided by: sounds that are all the same have none.
_LEAST_LENGTH = 1e-12
#: Chunks between which a position is interpolated.
_NEIGHBOURS = 6
#: The map is stretched to fill its square, but no axis by more than its inverse beside the other one.
_LEAST_ASPECT = 0.5
#: Positions farther from the middle than so many times the distance within which most lie are brought nearer: to at
#: most so much more than that.
_MOST, _FAR, _FARTHEST = 0.9, 1.25, 0.4
#: Free margin around the map.
_MARGIN = 0.04


@dataclass(frozen=True)
class LatentMap:
    """A map of N chunks.

    Attributes
    ----------
    positions
        ``[N, 2]``, within 0 and 1; x grows with brightness.
    scores
        ``[N, S]``: what the points are rebuilt from.
    origin, axes
        ``[P]`` and ``[S, P]``: a point is ``origin + scores @ axes``.  No axes where the scores are the points.
    sounds
        ``[N]``, number of the sound that a chunk is from.
    starts, seconds
        ``[N]``, where a chunk begins in the file of its sound, and how much of it is sound, in seconds.
    brightness, loudness
        ``[N]``, of the decoded chunk; see `distill.models.latent_space.descriptors.describe`.
    fingerprints
        Hash of each sound's content, by its number; empty where it is not known.
    trustworthiness
        Of the positions at 10 neighbours, measured on the decoded features.
    """

    positions: Tensor
    scores: Tensor
    origin: Tensor
    axes: Tensor
    sounds: Tensor
    starts: Tensor
    seconds: Tensor
    brightness: Tensor
    loudness: Tensor
    fingerprints: tuple[str, ...]
    trustworthiness: float

    def __len__(self) -> int:
        return len(self.positions)

    def points(self, rows: Tensor) -> Tensor:
        """Return the points ``[n, P]`` of chunks by their numbers ``[n]``."""
        return self._restored(self.scores[rows])

    def nearest(self, x: float, y: float, count: int = _NEIGHBOURS) -> tuple[Tensor, Tensor]:
        """Return the numbers of the chunks nearest to a position, and their distances, nearest first."""
        distance = (self.positions - torch.tensor([x, y])).square().sum(1).sqrt()
        nearest_chunks = distance.topk(min(count, len(self)), largest=False)
        return nearest_chunks.indices, nearest_chunks.values

    def point_at(self, x: float, y: float) -> tuple[Tensor, float]:
        """Return the point ``[P]`` at a position, and the length of its sound in seconds.

        Nearby chunks are mixed by the inverse square of their distances, so that a chunk's own position gives its own
        point.  A mean of points lies nearer to the middle of all than they do; it is brought out to their distance.
        """
        rows, weight = self._mixed(x, y)
        mixed_scores = self.scores[rows]
        mean_scores = self.scores.mean(0)
        mixed = weight @ (mixed_scores - mean_scores)
        mean_norm = weight @ (mixed_scores - mean_scores).norm(dim=1)
        mixed = mean_scores + mixed * (mean_norm / mixed.norm().clamp_min(1e-6)).clamp_max(3.0)
        return self._restored(mixed[None])[0], float(weight @ self.seconds[rows])

    def loudness_at(self, x: float, y: float) -> float:
        """Return the loudness at a position, decibels, as of the chunks that are mixed there."""
        rows, weight = self._mixed(x, y)
        return float(weight @ self.loudness[rows])

    def _mixed(self, x: float, y: float) -> tuple[Tensor, Tensor]:
        """Return the chunks that are mixed at a position, and their shares."""
        rows, distance = self.nearest(x, y)
        weight = 1 / (distance.square() + 1e-8)
        return rows, weight / weight.sum()

    def _restored(self, scores: Tensor) -> Tensor:
        return self.origin + scores @ self.axes if len(self.axes) else scores

    def to_file(self) -> dict[str, Any]:
        """Return tensors and plain values for the model file's key ``map``; points are stored in half precision."""
        stored = {item.name: getattr(self, item.name) for item in fields(self)}
        halves = {name: stored[name].half() for name in ("scores", "axes")}
        return {"version": 1, **stored, **halves, "fingerprints": list(self.fingerprints)}

    @classmethod
    def of_file(cls, data: Mapping[str, Any], point_size: int) -> "LatentMap":
        """Return the map that a model file holds.

        Raises
        ------
        AttributeError, KeyError, TypeError, ValueError
            The data is not a map of points of this size.
        """
        names = ("positions", "scores", "origin", "axes", "starts", "seconds", "brightness", "loudness")
        tensors = {name: data[name].float() for name in names}
        sounds, count = data["sounds"].long(), len(data["positions"])
        prints = tuple(data["fingerprints"])
        one_each = (sounds, *(tensors[name] for name in ("starts", "seconds", "brightness", "loudness")))
        size = tensors["axes"].shape[-1] if len(tensors["axes"]) else tensors["scores"].shape[-1]
        if tensors["positions"].shape != (count, 2) or any(row.shape != (count,) for row in one_each) or not count:
            raise ValueError("the parts of the map do not fit each other")
        if len(tensors["scores"]) != count or size != point_size or tensors["scores"].ndim != 2:
            raise ValueError("the map belongs to another network")
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
            raise ValueError("the map holds numbers that are not finite")
        if int(sounds.min()) < 0 or int(sounds.max()) >= len(prints) or not all(isinstance(p, str) for p in prints):
            raise ValueError("the map does not know its sounds")
        return cls(**tensors, sounds=sounds, fingerprints=prints, trustworthiness=float(data["trustworthiness"]))


@torch.no_grad()
def fit_map(
    chunks: DecodedChunks,
    sounds: Sequence[int],
    starts: Sequence[float],
    seconds: Sequence[float],
    fingerprints: Sequence[str],
) -> LatentMap:
    """Return the map of chunks.

    Parameters
    ----------
    chunks
        What the network makes of them.
    sounds, starts, seconds
        N each; see `LatentMap`.
    fingerprints
        One for each sound.
    """
    names = list(DESCRIPTORS)
    brightness, loudness = chunks.described[:, [names.index("brightness"), names.index("loudness")]].unbind(1)
    compared = principal_scores(chunks.magnitude.flatten(1), _COMPARED_AXES)
    positions = _oriented(_gathered(lay_out(compared)), brightness, loudness)
    scores, origin, axes = _compact(chunks.points)
    return LatentMap(
        positions, scores, origin, axes, torch.tensor(sounds), torch.tensor(starts).float(),
        torch.tensor(seconds).float(), brightness, loudness, tuple(fingerprints),
        trustworthiness(compared, positions),
    )  # fmt: skip


def _gathered(positions: Tensor) -> Tensor:
    """Return positions ``[N, 2]`` of which the farthest are brought near the others, in their direction and order.

    One sound that is unlike all others would otherwise take the room of the map, and leave a corner to the rest.
    """
    away = positions - positions.median(0).values
    distance = away.norm(dim=1)
    usual = _FAR * distance.quantile(_MOST)
    share = usual / distance.clamp_min(1e-12)
    return away * torch.where(distance > usual, share * (1 + _FARTHEST * (1 - share)), 1.0)[:, None]


def _oriented(positions: Tensor, brightness: Tensor, loudness: Tensor) -> Tensor:
    """Return positions within 0 and 1, turned so that brightness grows with x, and loudness with y."""
    centred = positions - positions.mean(0)
    slope = centred.T @ (brightness - brightness.mean()).double()
    angle = math.atan2(float(slope[1]), float(slope[0]))
    turn = centred.new_tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turned = centred @ turn
    if float(turned[:, 1] @ (loudness - loudness.mean()).double()) < 0:
        turned[:, 1] = -turned[:, 1]
    low, high = turned.amin(0), turned.amax(0)
    extent = high - low
    extent = torch.maximum(extent, _LEAST_ASPECT * extent.max()).clamp_min(1e-12)
    scaled = (turned - (low + high) / 2) / extent * (1 - 2 * _MARGIN) + 0.5
    return scaled.float()


def _compact(point: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return scores, origin and axes of points ``[N, P]``; points of few numbers are their own scores."""
    if point.shape[1] <= _MOST_NUMBERS:
        return point, torch.zeros(point.shape[1]), torch.zeros(0, point.shape[1])
    origin = point.mean(0)
    centred = point - origin
    scores = principal_scores(point, min(_STORED_AXES, len(point))).float()
    length = scores.square().sum(0)
    kept = length > 1e-6 * length.max()
    kept[0] = True  # of sounds that are all the same, too: axes tell the file's reader that these are scores
    scores = scores[:, kept]
    axes = (scores / length[kept].clamp_min(_LEAST_LENGTH)).T @ centred
    return scores, origin, axes
