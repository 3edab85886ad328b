"""Chooses the sounds whose copies are among the previews of a run, and records which they are.  No torch here."""

from collections.abc import Sequence

from distill.audio.cache.sound_cache import CachedSound
from distill.runs.preview_files import PAIRS
from distill.runs.run_record import RunRecord
from distill.training.data.known_split import KnownSplit


def preview_sounds(
    record: RunRecord, known: KnownSplit | None, held_out: Sequence[CachedSound], trained: Sequence[CachedSound]
) -> list[CachedSound]:
    """Return the sounds whose copies are among the previews: as recorded, or held-out ones and a training sound.

    A run from another one has the sounds of that, as far as they are there: people compare the two by ear.

    Parameters
    ----------
    record
        The run's record.
    known
        The split of the run that it is from; None without one.
    held_out, trained
        The sounds of either side, in their order; a divided sound has a part on each.
    """
    recorded = _recorded(record, held_out, trained)
    if recorded:
        return recorded
    if known is None:
        return [*held_out[: PAIRS - 1], *trained[:1]]
    tested = known.previewed_first(held_out)[: PAIRS - 1]
    # Both parts of a divided sound have its hashes; it is heard once.
    others = [sound for sound in trained if sound.source not in {sound.source for sound in tested}]
    return [*tested, *known.previewed_first(others or trained)[:1]]


def choose_previews(
    record: RunRecord, known: KnownSplit | None, held_out: Sequence[CachedSound], trained: Sequence[CachedSound]
) -> list[CachedSound]:
    """Choose the sounds of the previews (`preview_sounds`) and write into the record which they are."""
    previewed = preview_sounds(record, known, held_out, trained)
    record.preview_sounds = [sound.source for sound in previewed]
    held_out_parts = {(sound.source, sound.start) for sound in held_out}
    record.preview_training = [
        number for number, sound in enumerate(previewed) if (sound.source, sound.start) not in held_out_parts
    ]
    return previewed


def previewed_hashes(record: RunRecord) -> list[str]:
    """Return the content hashes of the sounds that a run has previewed; an empty one for each that is not known."""
    return [record.fingerprints.get(str(path), {}).get("content", "") for path in record.preview_sounds]


def _recorded(record: RunRecord, held_out: Sequence[CachedSound], trained: Sequence[CachedSound]) -> list[CachedSound]:
    """Return the sounds of the previews as a record names them; none where they are not all there.

    Both parts of a divided sound have its path: the record says which numbers are trained on.  Older records do not
    say it of divided sounds; where one is named twice, the second is the part that is trained on.
    """
    tested, learnt = ({sound.source: sound for sound in reversed(side)} for side in (held_out, trained))
    found: list[CachedSound] = []
    for number, path in enumerate(record.preview_sounds):
        is_learnt = number in record.preview_training or path in record.preview_sounds[:number]
        sides = (learnt, tested) if is_learnt else (tested, learnt)
        found += [side[path] for side in sides if path in side][:1]
    return found if len(found) == len(record.preview_sounds) else []
