"""What a model has learnt from and what it was tested with, by content, so that a later run keeps it apart.

A sound that a model was trained on must not test what comes from it, and one that it was tested with must not be
trained on: the held-out loss would say less than it seems to.  No torch here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from distill.audio.cache.sound_cache import ENVELOPE_HOP, CachedSound
from distill.runs.run_record import RunRecord
from distill.training.data.copies_in_split import copy_groups_for_split
from distill.training.data.split import split_sounds

#: Hexadecimal digits by which a sound is known.
_DIGITS = 16
#: Fewest different new sounds of which some are held out, where earlier ones are held out anyway.
_NEW_SOUNDS = 5
#: Hashes that a chain of runs remembers; of one run all are kept.
_MOST_KEYS = 20_000


#: The parts of a sound that are trained on, and those that are held out.
_Sides = tuple[list[CachedSound], list[CachedSound]]


@dataclass(frozen=True)
class KnownSplit:
    """The split of an earlier run, and of those that it came from.

    Attributes
    ----------
    trained, held_out
        Sounds by the beginnings of the hashes of their files and of their audio.
    divided
        Of sounds that were divided: the sample at which training ended, and that from which they were held out.
    previewed
        Sounds that were heard in the previews, in their order; empty where that is not known.
    """

    trained: frozenset[str] = frozenset()
    held_out: frozenset[str] = frozenset()
    divided: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    previewed: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, train: Sequence[CachedSound], val: Sequence[CachedSound], previewed: Sequence[CachedSound] = ()
    ) -> Self:
        """Return the split of a run."""
        ends = {sound.source: sound.start + sound.samples for sound in train}
        divided = {
            key: (ends[sound.source], sound.start) for sound in val if sound.source in ends for key in _keys(sound)
        }
        return cls(
            frozenset(key for sound in train for key in _keys(sound)) - divided.keys(),
            frozenset(key for sound in val for key in _keys(sound)) - divided.keys(),
            divided,
            tuple(key for sound in previewed for key in _keys(sound)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a file."""
        return {
            "trained": sorted(self.trained),
            "held_out": sorted(self.held_out),
            "divided": {key: list(value) for key, value in sorted(self.divided.items())},
            "previewed": list(self.previewed),
        }

    @classmethod
    def from_dict(cls, data: Any) -> Self | None:
        """Return what `to_dict` has written; None for anything else."""
        try:
            divided = {str(key): (int(end), int(start)) for key, (end, start) in dict(data["divided"]).items()}
            if any(not 0 < end <= start for end, start in divided.values()):
                return None
            previewed = tuple(map(str, data.get("previewed", ())))  # missing in files of older versions
            return cls(frozenset(map(str, data["trained"])), frozenset(map(str, data["held_out"])), divided, previewed)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return None

    def after(self, earlier: Self | None) -> Self:
        """Return the split of a run together with that of the runs that it came from; None for none.

        What any of them was trained on is known to the model.  The previews are those of the run itself.
        """
        if earlier is None:
            return self
        own_keys = self.trained | self.held_out | self.divided.keys()
        others = (earlier.trained | earlier.held_out | earlier.divided.keys()) - own_keys
        keys = own_keys.union(sorted(others)[: max(0, _MOST_KEYS - len(own_keys))])
        trained = (self.trained | earlier.trained) & keys
        divided = {}
        for key in ((self.divided.keys() | earlier.divided.keys()) & keys) - trained:
            ends, starts = zip(*(split.divided[key] for split in (self, earlier) if key in split.divided), strict=True)
            divided[key] = (max(ends), max(*ends, *starts))
        held_out = ((self.held_out | earlier.held_out) & keys) - trained - divided.keys()
        return replace(self, trained=trained, held_out=held_out, divided=divided)

    def with_previewed(self, contents: Iterable[str]) -> Self:
        """Return the same split, with the sounds that were heard in the previews by the hashes of their files."""
        return replace(self, previewed=tuple(content[:_DIGITS] for content in contents))

    def previewed_first(self, sounds: Sequence[CachedSound]) -> list[CachedSound]:
        """Return sounds in their order, but first those that were heard in the previews, in the order of these."""
        ranks = {key: number for number, key in reversed(list(enumerate(self.previewed)))}
        return sorted(sounds, key=lambda sound: min(ranks.get(key, len(ranks)) for key in _keys(sound)))


def _keys(sound: CachedSound) -> list[str]:
    return [digest[:_DIGITS] for digest in (sound.content_hash, sound.audio_hash) if digest]


def origin_split(record: RunRecord) -> KnownSplit | None:
    """Return the split of the run that a run is from; None without one, or where it is not known."""
    return KnownSplit.from_dict(None if record.origin is None else record.origin.get("split"))


def split_of_chain(record: RunRecord) -> KnownSplit | None:
    """Return the split of a run together with that of the runs that it came from; None where its own is not known."""
    known = KnownSplit.from_dict(record.split)
    return None if known is None else known.after(origin_split(record))


def split_with(
    known: KnownSplit, sounds: Sequence[CachedSound], val_fraction: float, chunk_samples: int
) -> tuple[list[CachedSound], list[CachedSound]]:
    """Return the sounds to train on and those held out: known ones as they were, new ones by their share.

    Where nothing known is held out and there are too few new sounds, sounds that the model knows are held out; see
    `is_tested_by_known`.

    Parameters
    ----------
    known
        The split of the run that the model is from.
    sounds
        All sounds.
    val_fraction, chunk_samples
        As in `split_sounds`.

    Raises
    ------
    NotEnoughSoundsError
        There is one sound only, and it is too short to be divided.
    """
    train: list[CachedSound] = []
    val: list[CachedSound] = []
    fresh: list[list[CachedSound]] = []
    ordered = sorted(sounds, key=lambda s: (s.content_hash, str(s.source)))
    for group in copy_groups_for_split(ordered):
        sides = [_place(known, sound, chunk_samples) for sound in group]
        placed = [side for side in sides if side is not None]
        if not placed:
            fresh.append(group)
            continue
        for sound, side in zip(group, sides, strict=True):
            # A copy in another format goes with the sound that is known, as a whole; one of a divided sound has both
            # what is trained on and what is held out, and is left out.
            learnt, tested = side or _beside(sound, placed)
            train += learnt
            val += tested
    new = [sound for group in fresh for sound in group]
    if new and (not val or len(fresh) >= _NEW_SOUNDS):
        try:
            learnt, tested = split_sounds(new, val_fraction, chunk_samples)
        except ValueError:  # one short sound
            learnt, tested = new, []
        train, val = train + learnt, val + tested
    else:
        train += new
    if not train or not val:
        return split_sounds(sounds, val_fraction, chunk_samples)
    return train, val


def _place(known: KnownSplit, sound: CachedSound, chunk_samples: int) -> _Sides | None:
    """Return the part of a sound that is trained on and that which is held out; None for one that is not known."""
    for key in _keys(sound):
        if key in known.divided:
            end, start = (position - sound.start for position in known.divided[key])
            end, start = end // ENVELOPE_HOP * ENVELOPE_HOP, -(-start // ENVELOPE_HOP) * ENVELOPE_HOP
            learnt = [sound.part(0, min(end, sound.samples))] if end >= chunk_samples else []
            tested = [sound.part(start, sound.samples)] if 0 <= start < sound.samples else []
            return learnt, tested
        if key in known.held_out:
            return [], [sound]
        if key in known.trained:
            return [sound], []
    return None


def _beside(sound: CachedSound, placed: Sequence[_Sides]) -> _Sides:
    """Return the sides of a copy of sounds that are known, of which the sides are ``placed``."""
    if any(learnt and tested for learnt, tested in placed):
        return [], []
    return ([sound], []) if placed[0][0] else ([], [sound])


def is_tested_by_known(known: KnownSplit, val: Sequence[CachedSound]) -> bool:
    """Whether sounds are held out now that the model was trained on."""
    return any(key in known.trained for sound in val for key in _keys(sound))
