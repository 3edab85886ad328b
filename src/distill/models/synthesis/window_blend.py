"""Fades windows that overlap by half into each other as features, and signals where features cannot be faded.

A model describes a chunk of a second or so.  Chunks that are turned into sound one by one and put together have
seams, and fading them into each other does not help: their phases are invented for each chunk anew, so that two of
them cancel each other out here and there.  Features have no such phases, so that their fades leave no trace.
"""

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor


def half_step(frames: int) -> int:
    """Return the distance in frames of windows of ``frames`` frames that overlap by half."""
    return max(1, frames // 2)


def window_starts(total: int, frames: int) -> list[int]:
    """Return the first frames of the windows that cover ``total`` frames, half a window apart."""
    step = half_step(frames)
    return list(range(0, max(1, total - frames + step), step))


def window_count(total: float) -> int:
    """Return how many windows, half a window apart, cover a sound of ``total`` windows."""
    return 1 + max(0, math.ceil((total - 1.0) * 2 - 1e-6))


def _rise(length: int) -> Tensor:
    """Return a ramp ``[length]`` that rises as a squared sine and reaches neither 0 nor 1."""
    return torch.sin((torch.arange(length) + 0.5) / length * (math.pi / 2)).square()


def fade_weights(frames: int, overlap: int) -> Tensor:
    """Return weights ``[frames]`` that rise and fall as a squared sine over ``overlap`` frames, never to zero."""
    ramp = _rise(overlap)
    weight = torch.ones(frames)
    weight[:overlap] = ramp
    weight[frames - overlap :] = torch.minimum(weight[frames - overlap :], ramp.flip(0))
    return weight


def _fade(weight: Tensor, number: int, count: int) -> Tensor:
    """Return the weights of window ``number``: nothing lies before the first window, nor behind the last one."""
    fade, middle = weight.clone(), len(weight) // 2
    if number == 0:
        fade[:middle] = 1.0
    if number == count - 1:
        fade[middle:] = 1.0
    return fade


class WindowBlend:
    """Sums windows into the features of a sound.

    Parameters
    ----------
    count
        Number of windows.
    frames
        Frames of a window.
    """

    def __init__(self, count: int, frames: int) -> None:
        self._count, self._frames, self._step = count, frames, half_step(frames)
        self._length = (count - 1) * self._step + frames
        self._weight = fade_weights(frames, frames - self._step)
        self._summed: Tensor | None = None
        self._weights = torch.zeros(self._length)

    def add(self, number: int, features: Tensor) -> None:
        """Add window ``number``, ``[C, F, frames]``."""
        if self._summed is None:
            self._summed = features.new_zeros(*features.shape[:-1], self._length)
        fade = _fade(self._weight, number, self._count)
        start = number * self._step
        self._summed[..., start : start + self._frames] += fade * features
        self._weights[start : start + self._frames] += fade

    def features(self, total: int) -> Tensor:
        """Return the first ``total`` frames ``[C, F, total]`` of the sound; all windows must have been added."""
        assert self._summed is not None
        return (self._summed / self._weights)[..., :total]


def blend_stream(windows: Iterable[Tensor], count: int, total: int) -> Iterator[Tensor]:
    """Yield the features ``[C, F, n]`` of a sound in parts, each when no later window changes it; see `WindowBlend`.

    Parameters
    ----------
    windows
        ``count`` windows ``[C, F, frames]``, half a window apart.
    count
        Number of windows.
    total
        Frames of the sound.
    """
    summed: Tensor | None = None
    done = 0
    for number, features in enumerate(windows):
        frames = features.shape[-1]
        step = half_step(frames)
        if summed is None:
            weight = fade_weights(frames, frames - step)
            summed, weights = torch.zeros_like(features), torch.zeros(frames)
        else:
            summed = torch.nn.functional.pad(summed[..., step:], (0, step))
            weights = torch.nn.functional.pad(weights[step:], (0, step))
        fade = _fade(weight, number, count)
        summed += fade * features
        weights += fade
        ready = frames if number == count - 1 else step
        part = (summed[..., :ready] / weights[:ready])[..., : total - done]
        done += part.shape[-1]
        if part.shape[-1]:
            yield part


def blend(windows: Tensor, total: int) -> Tensor:
    """Return the features ``[C, F, total]`` of a sound from its windows ``[K, C, F, frames]``, half a window apart."""
    blended = WindowBlend(len(windows), windows.shape[-1])
    for number, features in enumerate(windows):
        blended.add(number, features)
    return blended.features(total)


def cut_windows(sound: Tensor, hop: int, chunk: int, frames: int) -> Tensor:
    """Return the windows ``[K, 1, chunk]`` of a sound ``[1, N]``, half a window apart, the last one padded."""
    total = 1 + sound.shape[-1] // hop
    starts = window_starts(total, frames)
    padded = torch.nn.functional.pad(sound, (0, max(0, starts[-1] * hop + chunk - sound.shape[-1])))
    return torch.stack([padded[:, start * hop : start * hop + chunk] for start in starts])


def crossfade(before: Tensor, after: Tensor) -> tuple[Tensor, float]:
    """Return a fade ``[n]`` from one signal to another at steady energy, and the sign that the second one has in it.

    Signals that are alike are faded by their sum, signals that have nothing in common by their energy, and anything
    between by how much they have in common.  The second one is turned over where that makes them more alike.
    """
    energies = before.square().mean(), after.square().mean()
    alike = float((before * after).mean() / (energies[0] * energies[1]).sqrt().clamp_min(1e-12))
    sign = -1.0 if alike < 0 else 1.0
    ramp = _rise(len(before))
    gain = ((1 - ramp).square() + ramp.square() + 2 * abs(alike) * ramp * (1 - ramp)).rsqrt()
    return gain * ((1 - ramp) * before + sign * ramp * after), sign
