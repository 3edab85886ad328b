"""Chooses the sounds that are held out.  No torch here: the window shows the split before anything is trained."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from distill.audio.cache.sound_cache import ENVELOPE_HOP, CachedSound
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.errors import NotEnoughSoundsError
from distill.training.data.audible_regions import chunk_starts, kept_seconds, sound_regions
from distill.training.data.copies_in_split import copy_groups_for_split

#: Held-out seconds relative to the requested share that whole files may give; outside, long files are divided by time.
_LEAST, _MOST = 0.5, 1.5
#: Files on each side where there are twice as many.
_SEVERAL = 2
#: Chunks of a sound that can be divided: some for either side, and one between them that is on none.
MIN_DIVIDED_CHUNKS = 8
#: Largest part of one sound that is held out of it.
_MOST_OF_ONE = 0.5
#: Seconds that neighbours must have more than others to be taken for more, and the relative error of a sum's term.
_MORE = 1e-9
_EPSILON = 2.3e-16


class Hashed(Protocol):
    """What `split_by_file` reads of a sound: its file, and the hash of that file's bytes."""

    @property
    def source(self) -> Path:
        """The file."""

    @property
    def content_hash(self) -> str:
        """The same for copies of a file."""


S = TypeVar("S", bound=Hashed)


def split_by_file(sounds: Sequence[S], val_fraction: float) -> tuple[list[S], list[S]]:
    """Return the sounds to train on and those held out, for runs that were begun with this rule.

    Sounds are ranked by a digest of their content, so that the same files give the same split in whatever order
    and under whatever names they come; copies of a file stay on one side.
    """
    groups: dict[str, list[S]] = {}
    for sound in sorted(sounds, key=lambda s: (s.content_hash, str(s.source))):
        groups.setdefault(sound.content_hash, []).append(sound)
    if len(groups) == 1:  # nothing but copies of one sound: any split is as good
        copies = next(iter(groups.values()))
        return copies[1:], copies[:1]
    ranked = sorted(groups, key=_rank)
    held_out = min(len(ranked) - 1, max(1, round(val_fraction * len(ranked))))
    val = [sound for key in ranked[:held_out] for sound in groups[key]]
    train = [sound for key in ranked[held_out:] for sound in groups[key]]
    return train, val


@dataclass(frozen=True)
class SplitFiles:
    """The held-out part of a set of sounds, by file.

    Attributes
    ----------
    held_out
        Files of which at least a part is held out.
    divided
        Those of them whose beginning is trained on.
    seconds
        Duration of the held-out part.
    """

    held_out: frozenset[Path]
    divided: frozenset[Path]
    seconds: float

    @classmethod
    def of(cls, train: Sequence[CachedSound], val: Sequence[CachedSound]) -> Self:
        """Return which files a split holds out."""
        sources = frozenset(sound.source for sound in val)
        divided = sources & {sound.source for sound in train}
        return cls(sources, divided, sum(sound.samples for sound in val) / SAMPLE_RATE)


def _rank(content_hash: str) -> bytes:
    return hashlib.blake2b(f"split {content_hash}".encode(), digest_size=8).digest()


@dataclass(frozen=True)
class _Group:
    """Sounds of the same audio, and the seconds of them that are trained on."""

    sounds: list[CachedSound]
    seconds: float


def split_sounds(
    sounds: Sequence[CachedSound], val_fraction: float, chunk_samples: int
) -> tuple[list[CachedSound], list[CachedSound]]:
    """Return the sounds to train on and those held out; long sounds may be divided between both.

    The held-out part comes near ``val_fraction`` of the files and of the seconds.  Sounds of the same audio stay on
    one side.  Where whole files cannot give the share of the seconds, because a few long files hold most of them, the
    ends of long files are held out, and one chunk between the two parts is used for neither.  The result depends on
    the content of the sounds alone, not on their names or their order.

    Parameters
    ----------
    sounds
        All sounds.  Of runs that were begun before, `split_by_file` decides.
    val_fraction
        Share that is held out.
    chunk_samples
        Samples of a chunk.

    Raises
    ------
    NotEnoughSoundsError
        There is one sound only, and it is too short to be divided.
    """
    if any(sound.preparation == 1 for sound in sounds):
        return split_by_file(sounds, val_fraction)
    ordered = sorted(sounds, key=lambda s: (s.content_hash, str(s.source)))
    groups = [
        _Group(members, sum(kept_seconds(sound, chunk_samples) for sound in members))
        for members in copy_groups_for_split(ordered)
    ]
    groups.sort(key=lambda group: _rank(group.sounds[0].content_hash))
    target = val_fraction * _seconds(groups)
    held_out_groups = _whole_groups(groups, val_fraction, target)
    trained_groups = _without(groups, held_out_groups)
    held_out_seconds = _seconds(held_out_groups)
    val = [sound for group in held_out_groups for sound in group.sounds]
    if held_out_groups and held_out_seconds >= _LEAST * target:
        return [sound for group in trained_groups for sound in group.sounds], val
    divided = _divided(trained_groups, target - held_out_seconds, chunk_samples)
    if divided is not None:
        return divided[0], divided[1] + val
    if len(groups) > 1:
        held_out_groups = held_out_groups or [_nearest(groups, target)]
        trained_groups = _without(groups, held_out_groups)
        return [s for g in trained_groups for s in g.sounds], [s for g in held_out_groups for s in g.sounds]
    copies = groups[0].sounds
    if len(copies) == 1:
        raise NotEnoughSoundsError(
            "One sound is too short to be divided into a part to train on and a part to test with. Add more sounds."
        )
    return copies[1:], copies[:1]  # nothing but copies of one sound: any split is as good


def can_be_divided(sound: CachedSound, chunk_samples: int) -> bool:
    """Whether a sound is long enough to be trained on and tested by itself."""
    return sum(region.chunks for region in sound_regions(sound, chunk_samples)) >= MIN_DIVIDED_CHUNKS


def _whole_groups(groups: list[_Group], val_fraction: float, target: float) -> list[_Group]:
    """Return the groups to hold out: as many as their share, neighbours in the ranking, whose seconds fit best.

    The first neighbours that fit well are taken, so that a few other files seldom change the choice.
    """
    count = len(groups)
    if count == 1:
        return []
    several = _SEVERAL if count >= 2 * _SEVERAL else 1
    wanted = min(count - several, max(several, round(val_fraction * count)))
    return [groups[at] for at in neighbours_near([group.seconds for group in groups], wanted, several, target)]


def neighbours_near(seconds: Sequence[float], most: int, least: int, target: float) -> list[int]:
    """Return which neighbours, the first after the last, have about ``target`` seconds together.

    The first ones that fit well are taken, of as many as possible.  Where none fit, those with the most seconds of all
    that are under the target are taken; none where all are over it.

    Parameters
    ----------
    seconds
        Seconds of each.
    most, least
        How many neighbours there may be.
    target
        Seconds that are wanted.
    """
    count, largest, reached = len(seconds), list[int](), -math.inf
    nearly = _NeighbourSums(seconds)
    for size in range(most, least - 1, -1):
        sums = nearly.of(size)
        # What is certain by these sums is left out: the others are added up one by one.
        slack = nearly.error + size * _EPSILON * _MOST * target
        may_fit = (sums >= _LEAST * target - slack) & (sums <= _MOST * target + slack)
        may_be_largest = (sums < target + slack) & (sums > reached + _MORE - slack)
        for first in np.flatnonzero(may_fit | may_be_largest).tolist():
            window = [(first + step) % count for step in range(size)]
            total = sum(seconds[at] for at in window)
            if _LEAST * target <= total <= _MOST * target:
                return window
            if total < target and (not largest or total > reached + _MORE):
                largest, reached = window, total
    return largest  # too little, or nothing: long files are divided


class _NeighbourSums:
    """The sums of neighbours in a ring, for any number of them in one pass.

    They are added up as whole numbers, without the errors that differences of long sums of fractions have.

    Attributes
    ----------
    error
        How far a sum may be from the exact one.
    """

    def __init__(self, numbers: Sequence[float]) -> None:
        self._count = len(numbers)
        self._scale = 2.0 ** (60 - math.frexp(1.0 + sum(numbers))[1])
        whole = np.rint(np.array(numbers) * self._scale).astype(np.int64)
        self._until = np.concatenate([[0], np.cumsum(np.tile(whole, 2))])
        self.error = len(numbers) / self._scale

    def of(self, size: int) -> npt.NDArray[np.float64]:
        """Return the sums of so many neighbours, by the first of them."""
        first = self._until[: self._count]
        return np.asarray((self._until[size : size + self._count] - first) / self._scale)


def _without(groups: Sequence[_Group], held: Sequence[_Group]) -> list[_Group]:
    """Return the groups that are not among those held out."""
    held_ids = {id(group) for group in held}
    return [group for group in groups if id(group) not in held_ids]


def _seconds(groups: Sequence[_Group]) -> float:
    return sum(group.seconds for group in groups)


def _nearest(groups: list[_Group], target: float) -> _Group:
    """Return the group whose seconds are nearest to what is to be held out."""
    return min(groups, key=lambda group: abs(math.log(max(group.seconds, 1e-9) / max(target, 1e-9))))


def _divided(
    groups: list[_Group], seconds: float, chunk_samples: int
) -> tuple[list[CachedSound], list[CachedSound]] | None:
    """Return the sounds with the ends of the longest ones held out; None where none is long enough.

    Parameters
    ----------
    groups
        What may be divided.
    seconds
        How much is to be held out.
    chunk_samples
        Samples of a chunk.
    """
    long = [group for group in groups if all(can_be_divided(sound, chunk_samples) for sound in group.sounds)]
    long.sort(key=lambda group: -group.seconds)
    if not long:
        return None
    left = seconds
    parts: dict[int, tuple[list[CachedSound], list[CachedSound]]] = {}
    for number, group in enumerate(long):
        if left <= 0:
            break
        # Several files on the held-out side, where a second one is about as long.
        shared = number == 0 and len(long) > 1 and long[1].seconds > group.seconds / 2
        share = min(left / 2 if shared else left, _MOST_OF_ONE * group.seconds)
        train, val = [], []
        for sound in group.sounds:
            kept, held = _ends(sound, share / len(group.sounds), chunk_samples)
            train.append(kept)
            val.append(held)
        parts[id(group)] = train, val
        left -= sum(kept_seconds(sound, chunk_samples) for sound in val)
    train_side = [sound for group in groups for sound in parts.get(id(group), (group.sounds, []))[0]]
    return train_side, [sound for group in groups for sound in parts.get(id(group), ([], []))[1]]


def _ends(sound: CachedSound, seconds: float, chunk_samples: int) -> tuple[CachedSound, CachedSound]:
    """Return the beginning and the end of a sound, with a chunk between them that belongs to neither."""
    starts = chunk_starts(sound_regions(sound, chunk_samples), chunk_samples)
    most = len(starts) // 2
    held = min(most, max(1, round(seconds * SAMPLE_RATE / chunk_samples)))
    cut = -(-starts[-held] // ENVELOPE_HOP) * ENVELOPE_HOP
    if cut >= sound.samples:  # the last chunk is shorter than a step
        cut = starts[-held] // ENVELOPE_HOP * ENVELOPE_HOP
    gap = starts[-held - 1] // ENVELOPE_HOP * ENVELOPE_HOP
    return sound.part(0, max(gap, chunk_samples)), sound.part(cut, sound.samples)
