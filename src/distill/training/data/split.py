"""Which sounds are held out.  Without torch: the window shows the split before anything is trained."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar


class Hashed(Protocol):
    """A sound as far as the split looks at it: its file, and the hash of that file's bytes."""

    @property
    def source(self) -> Path:
        """The file."""

    @property
    def content_hash(self) -> str:
        """The same for copies of a file."""


S = TypeVar("S", bound=Hashed)


def split_by_file(sounds: Sequence[S], val_fraction: float) -> tuple[list[S], list[S]]:
    """Return the sounds to train on and those held out.

    Sounds are ranked by a digest of their content, so that the same files give the same split in whatever order
    and under whatever names they come; copies of a file stay on one side.
    """
    groups: dict[str, list[S]] = {}
    for sound in sorted(sounds, key=lambda s: (s.content_hash, str(s.source))):
        groups.setdefault(sound.content_hash, []).append(sound)
    if len(groups) == 1:  # nothing but copies of one sound: any split is as good
        copies = next(iter(groups.values()))
        return copies[1:], copies[:1]
    ranked = sorted(groups, key=lambda h: hashlib.blake2b(f"split {h}".encode(), digest_size=8).digest())
    held_out = min(len(ranked) - 1, max(1, round(val_fraction * len(ranked))))
    val = [sound for key in ranked[:held_out] for sound in groups[key]]
    train = [sound for key in ranked[held_out:] for sound in groups[key]]
    return train, val
