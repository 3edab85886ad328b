"""The sound side of an opened model: sounds to points and back, and new sounds of any length."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor, nn

from distill.audio.stft_and_mel import CENTRE
from distill.computing.worker_threads import in_order
from distill.errors import ModelFileError
from distill.models.detail_by_example import EVENNESS, DetailStore
from distill.models.families.family import ModelFamily
from distill.models.nearest_training_sound import SoundIndex
from distill.models.priors.window_prior import WindowPrior, at_reach
from distill.models.synthesis.features_to_sound import sound_of_features
from distill.models.synthesis.spectral_colour import SPREAD_DB, coloured, draw_colours
from distill.models.synthesis.window_blend import blend, cut_windows, window_count, window_starts

#: Chooses sounds by the points of their first windows; see `Synthesizer.new_sounds`.
Choose = Callable[[Tensor], Sequence[int]]

#: Shortest and longest sound that can be requested, seconds.
SHORTEST_S, LONGEST_S = 0.1, 30.0
#: Highest temperature of new sounds: beyond it a decoder gives noise.
MOST_TEMPERATURE = 4.0
#: Windows that are decoded at once.
_WINDOWS_AT_ONCE = 32
#: New sounds that are drawn at once: few at first, so that there is soon something to hear.
_FIRST_SOUNDS, _SOUNDS_AT_ONCE = 8, 64
#: Sounds begin and end with a fade, so that no cut is heard: seconds.
_FADE_IN_S, _FADE_OUT_S = 0.001, 0.02
#: Share of a short sound that a fade takes at most.
_FADE_SHARE = 0.1
#: Decades under the loudest band below which differences of features are not heard.
_AUDIBLE_DECADES = 4.0


#: The ways in which new sounds are drawn: raised when the same seed gives other sounds than before.  That of models
#: with sounds over `LONGEST_S` is a later one: their new sounds had no bound.
_DRAWING, _DRAWING_OF_LONG = 1, 2
#: What the seed of a draw is changed by for that of its colours: points and colours are drawn independently.
_COLOUR_SEED = 0x636F6C
#: Share of the new sounds that get no detail of the training sound they resemble most, at the reaches of `at_reach`.
_SPARED_SHARES = (0.0, 0.25, 1.0)
#: Least `Nearest.relative` of new sounds at the reaches of `at_reach`.
_LEAST_NEWNESS = (0.15, 0.15, 1.0)
#: Draws for a new sound, until one is new enough.
_MOST_DRAWS = 8


@dataclass(frozen=True)
class _Character:
    """What is done to a new sound once it is decoded.

    Attributes
    ----------
    colour
        See `distill.models.synthesis.spectral_colour`, ``[F]``.
    spares_main
        Whether it gets no detail of the training sound that it resembles most.
    """

    colour: Tensor
    spares_main: bool


@dataclass(frozen=True)
class Synthesizer:
    """Makes sounds with a network and what is known of its corpus.

    Attributes
    ----------
    network, family, device
        The network, in eval mode, its family, and where it computes.
    prior
        Prior of the corpus; None where the model file has none.
    detail
        Detail of the corpus, or None.
    index
        Finds the training sound nearest to a sound, or None.
    name
        Name of the model, for messages.
    """

    network: nn.Module
    family: ModelFamily
    device: torch.device
    prior: WindowPrior | None
    detail: DetailStore | None
    index: SoundIndex | None
    name: str

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.family.spectrogram_config.sample_rate

    @property
    def hop(self) -> int:
        """Samples between frames."""
        return self.family.spectrogram_config.hop_length

    @property
    def chunk(self) -> int:
        """Samples of a window."""
        return round(self.family.config.chunk_duration_s * self.rate)

    @property
    def frames(self) -> int:
        """Frames of a window."""
        return self.family.spectrogram_config.frames(self.chunk)

    @property
    def drawing(self) -> int:
        """The way in which new sounds are drawn: the same seed gives the same sounds with the same number."""
        is_long = self.prior is not None and float(self.prior.lengths.max()) > self._most_windows
        return _DRAWING_OF_LONG if is_long else _DRAWING

    @property
    def _most_windows(self) -> float:
        """Length of the longest sound that is made, in windows."""
        return LONGEST_S * self.rate / self.chunk

    def need_prior(self, purpose: str) -> WindowPrior:
        """Return the prior.

        Raises
        ------
        ModelFileError
            The model has none.
        """
        if self.prior is None:
            raise no_prior(self.name, purpose)
        return self.prior

    # --- sounds to points and back -------------------------------------------------------------------------------

    def windows_of(self, sound: Tensor) -> Tensor:
        """Return the features ``[K, C, F, frames]`` of a sound ``[1, N]``, in windows half a window apart."""
        windows = cut_windows(sound, self.hop, self.chunk, self.frames)
        parts = [self.family.features(batch.to(self.device)) for batch in torch.split(windows, _WINDOWS_AT_ONCE)]
        return torch.cat(parts)

    def points_of(self, windows: Tensor) -> Tensor:
        """Return the points ``[K, P]`` of windows ``[K, C, F, frames]``."""
        parts = [
            self.family.points(self.network, batch.to(self.device)) for batch in torch.split(windows, _WINDOWS_AT_ONCE)
        ]
        return torch.cat(parts)

    def decoded(self, points: Tensor) -> Tensor:
        """Return the features ``[K, C, F, frames]`` of points ``[K, P]``, on the CPU."""
        parts = [self.family.from_points(self.network, batch) for batch in torch.split(points, _WINDOWS_AT_ONCE)]
        return torch.cat(parts).float().cpu()

    def detailed(self, features: Tensor, amount: float | None = None, source: int = -1) -> Tensor:
        """Return features ``[C, F, T]`` with a share of the detail that the decoder lost; None for that of copies.

        ``source`` is the training sound that they are a version of: its own detail is not used.
        """
        if self.detail is None:
            return features
        exclude = torch.tensor([source], device=self.device)
        share = self.family.copy_detail if amount is None else amount
        return self.detail.add(features[None].to(self.device), share, exclude)[0].cpu()

    def _new_detail(self, features: Tensor, amount: float | None, spares_main: bool) -> Tensor:
        """Return features ``[C, F, T]`` of a new sound with detail; see `DetailStore.add`."""
        if self.detail is None:
            return features
        share = 1.0 if amount is None else amount
        batch = features[None].to(self.device)
        return self.detail.add(batch, share, evenness=EVENNESS, spare_main=spares_main)[0].cpu()

    def training_sound_of(self, windows: Tensor) -> int:
        """Return the number of the training sound that decoded windows ``[K, C, F, frames]`` are of, or -1."""
        if self.detail is None:
            return -1
        owners = self.detail.owners_of(windows.to(self.device))
        known_owners = owners[owners >= 0]
        return int(known_owners.mode().values) if len(known_owners) else -1

    def frames_of(self, samples: int) -> int:
        """Return the frames of a sound."""
        return self.family.spectrogram_config.frames(samples)

    def windows_in(self, total: float) -> int:
        """Return how many windows are drawn for a sound of ``total`` windows.

        Windows are joined a whole number of frames apart.  Where that is less than half a window, some more are needed
        to cover the sound.
        """
        frames = self.frames_of(max(1, round(total * self.chunk)))
        return max(window_count(total), len(window_starts(frames, self.frames)))

    def to_sound(self, features: Tensor, samples: int) -> Tensor:
        """Return the sound ``[1, samples]`` of features ``[C, F, T]``, of which there are enough."""
        needed = features[None, ..., : self.frames_of(samples)]
        return sound_of_features(self.family, needed, samples)[0]

    def faded(self, sound: Tensor, begin: bool = True) -> Tensor:
        """Return a sound ``[1, N]`` that begins, unless ``begin`` is off, and ends without a cut."""
        shortest = int(_FADE_SHARE * sound.shape[-1])
        rise, fall = (min(round(seconds * self.rate), shortest) for seconds in (_FADE_IN_S, _FADE_OUT_S))
        sound = sound.clone()
        if begin:
            sound[:, :rise] *= (torch.arange(rise) + 0.5) / max(rise, 1)
        if fall:
            sound[:, -fall:] *= 1 - (torch.arange(fall) + 0.5) / fall
        return sound

    # --- new sounds ----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def new_sounds(
        self,
        count: int,
        seed: int,
        seconds: float | None = None,
        temperature: float = 1.0,
        freedom: float | None = None,
        detail: float | None = None,
        choose: Choose | None = None,
        finish: Callable[[Tensor], Tensor] | None = None,
    ) -> Iterator[Tensor]:
        """Yield new sounds ``[1, N]``, peak 1, one by one.

        Parameters
        ----------
        count, seed
            How many, and the start of the draw.
        seconds
            Length of each; None for lengths like those of the corpus.
        temperature
            Spread of the draw: under 1 more typical, over 1 odder.
        freedom
            From 0, close to the sounds of the corpus, to 1, far from them; None for the default, as is 0.5.
        detail
            Share of the detail that is put back; None for the model's default.
        choose
            Gets the points of the first windows of all ``count`` sounds, ``[count, K]``, and returns the numbers of
            those that are made, in this order; None for all.
        finish
            Returns what becomes of a sound, side by side with the making of others; None for the sound itself.
        """
        characters = self._characters(count, seed, temperature, freedom)
        drawn: Iterable[tuple[float, Tensor, _Character]] = (
            (total, points, character)
            for (total, points), character in zip(
                self._drawn(count, seed, seconds, temperature, freedom), characters, strict=True
            )
        )
        if choose is not None:
            all_drawn = list(drawn)
            drawn = [all_drawn[number] for number in choose(torch.stack([points[0] for _, points, _ in all_drawn]))]
        yield from in_order(
            partial(self._new_sound, points, character, max(1, round(total * self.chunk)), detail, finish)
            for total, points, character in drawn
        )

    def _characters(self, count: int, seed: int, temperature: float, freedom: float | None) -> list[_Character]:
        """Draw what is done to new sounds once they are decoded."""
        reach = self.need_prior("make new sounds").reach(freedom)
        generator = torch.Generator().manual_seed(seed ^ _COLOUR_SEED)
        bands, spread = self.family.spectrogram_config.n_mels, temperature * at_reach(reach, SPREAD_DB)
        colours = draw_colours(count, bands, spread, generator)
        is_spared = torch.rand(count, generator=generator) < at_reach(reach, _SPARED_SHARES)
        return [_Character(colour, bool(spared)) for colour, spared in zip(colours, is_spared, strict=True)]

    def _drawn(
        self, count: int, seed: int, seconds: float | None, temperature: float, freedom: float | None
    ) -> Iterator[tuple[float, Tensor]]:
        """Draw new sounds: the length of each in windows, and what the flow describes its windows by ``[K, dim]``."""
        prior = self.need_prior("make new sounds")
        generator = torch.Generator().manual_seed(seed)
        totals, anchors = prior.draw_sounds(count, generator, freedom)
        if seconds is None:
            totals = totals.clamp_max(self._most_windows)
        else:
            totals = torch.full_like(totals, seconds * self.rate / self.chunk)
        low, size = 0, _FIRST_SOUNDS
        while low < count:
            part = slice(low, low + size)
            near = None if anchors is None else anchors[part]
            yield from zip(
                totals[part].tolist(), self._draw(totals[part], near, generator, temperature, freedom), strict=True
            )
            low, size = low + size, _SOUNDS_AT_ONCE

    def first_point(self, sound: Tensor) -> Tensor:
        """Return what the flow describes the first window of a sound ``[1, N]`` by, ``[K]``, as in a new sound."""
        level = sound / sound.abs().max().clamp_min(1e-9)
        points = self.points_of(self.windows_of(level[:, : self.chunk])[:1])
        return self.need_prior("follow starred sounds").project(points)[0]

    def _new_sound(
        self,
        drawn: Tensor,
        character: _Character,
        samples: int,
        detail: float | None,
        finish: Callable[[Tensor], Tensor] | None,
    ) -> Tensor:
        """Return the sound ``[1, samples]`` of what the flow describes its windows by, ``[K, dim]``."""
        windows = self.decoded(self.need_prior("make new sounds").restore(drawn))
        blended = coloured(blend(windows, self.frames_of(samples)), character.colour, -CENTRE)
        features = self._new_detail(blended, detail, character.spares_main)
        sound = self.faded(self.to_sound(features, samples))
        sound = sound / sound.abs().max().clamp_min(1e-9)
        return sound if finish is None else finish(sound)

    def _draw(
        self,
        totals: Tensor,
        anchors: Tensor | None,
        generator: torch.Generator,
        temperature: float,
        freedom: float | None,
    ) -> list[Tensor]:
        """Return what the flow describes the windows of sounds by, ``[K, dim]`` for each."""
        prior = self.need_prior("make new sounds")
        counts = [self.windows_in(float(total)) for total in totals]
        sounds: list[list[Tensor]] = [[] for _ in counts]
        for number in range(max(counts)):
            going = [index for index, k in enumerate(counts) if k > number]
            previous = torch.stack([sounds[index][-1] for index in going]) if number else None
            lengths, offset = totals[going].to(self.device), number / 2
            if previous is None:
                drawn = self._beginnings(lengths, anchors, generator, temperature, freedom)
            else:
                drawn = prior.draw(previous, lengths, offset, generator, prior.heat(temperature, freedom))
            for index, row in zip(going, drawn, strict=True):
                sounds[index].append(row)
        return [torch.stack(rows) for rows in sounds]

    def _beginnings(
        self,
        lengths: Tensor,
        anchors: Tensor | None,
        generator: torch.Generator,
        temperature: float,
        freedom: float | None,
    ) -> Tensor:
        """Return first windows ``[B, dim]``; those that lie too near to a training sound are drawn again.

        Too near is measured by how near that training sound is to others.
        After `_MOST_DRAWS` draws the farthest is taken.
        """
        prior = self.need_prior("make new sounds")
        near_to = None if anchors is None else anchors.to(self.device)
        drawn = prior.begin(lengths, near_to, generator, temperature, freedom)
        if self.index is None:
            return drawn
        least = at_reach(prior.reach(freedom), _LEAST_NEWNESS)
        distance = self._distance(drawn)
        for _ in range(_MOST_DRAWS - 1):
            copies = (distance < least).nonzero().flatten()
            if not len(copies):
                break
            again = prior.begin(
                lengths[copies], None if near_to is None else near_to[copies], generator, temperature, freedom
            )
            new_distance = self._distance(again)
            better = new_distance > distance[copies]
            drawn[copies[better]], distance[copies[better]] = again[better], new_distance[better]
        return drawn

    def _distance(self, drawn: Tensor) -> Tensor:
        """Return how far first windows ``[B, dim]`` are from the nearest training sound, relatively, ``[B]``."""
        assert self.index is not None
        return self.index.nearest(self.decoded(self.need_prior("make new sounds").restore(drawn))).relative


def no_prior(name: str, purpose: str) -> ModelFileError:
    """Return the error for a model file that has no prior."""
    return ModelFileError(
        f"The model {name!r} has no prior of its sounds, so it cannot {purpose}; it can reconstruct. "
        "Train it again with this version of Distill."
    )


def audible_difference(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean difference in decibels of features ``[..., C, F, T]``, over all but the leading dimensions.

    The first channel, the magnitude, is compared, down to what is heard beside the loudest band of the first.
    """
    a, b = first[..., 0, :, :], second[..., 0, :, :]
    floor = a.amax((-2, -1), keepdim=True) - _AUDIBLE_DECADES
    return 20 * (torch.maximum(a, floor) - torch.maximum(b, floor)).abs().mean((-2, -1))


def check_whole(name: str, value: Any, kind: str = "a whole number") -> None:
    """Refuse what is not a whole number; those of NumPy are.

    Raises
    ------
    TypeError
        It is something else.
    """
    if not isinstance(value, Integral):
        raise TypeError(f"{name} must be {kind}, not {value!r}.")


def check_number(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number that is out of its range.

    Raises
    ------
    ValueError
        It is.
    """
    if not (isinstance(value, Real) and math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}.")
