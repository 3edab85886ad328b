"""What a preview is, read from its file name.  No Qt here: the run's reader needs it, too."""

import re
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"(?:preview_epoch(\d+)_(\d+)|recon_epoch(\d+)_(orig|recon)_(\d+))\.wav")


class PreviewKind(IntEnum):
    """What a preview is."""

    SAMPLE = 0
    ORIGINAL = 1
    RECONSTRUCTION = 2


class Slot(NamedTuple):
    """What stays the same from epoch to epoch: one of the fixed latents, or one of the probe sounds.

    Slots sort as they are shown: new sounds first.
    """

    is_pair: bool
    number: int


@dataclass(frozen=True)
class PreviewSound:
    """A preview; ``epoch`` counts from 0, as its file name does."""

    slot: Slot
    kind: PreviewKind
    epoch: int
    path: Path

    @classmethod
    def from_path(cls, path: Path) -> "PreviewSound | None":
        """Read what the file name says; None for a file of another kind."""
        match = _NAME.fullmatch(path.name)
        if match is None:
            return None
        epoch, number, pair_epoch, part, pair_number = match.groups()
        if part is None:
            return cls(Slot(False, int(number)), PreviewKind.SAMPLE, int(epoch), path)
        kind = PreviewKind.ORIGINAL if part == "orig" else PreviewKind.RECONSTRUCTION
        return cls(Slot(True, int(pair_number)), kind, int(pair_epoch), path)

    @property
    def number(self) -> int:
        """Number of its latent or probe, from 0."""
        return self.slot.number

    def original(self) -> "PreviewSound | None":
        """Return what a reconstruction was made from."""
        if self.kind is not PreviewKind.RECONSTRUCTION:
            return None
        return PreviewSound.from_path(self.path.with_name(self.path.name.replace("_recon_", "_orig_")))


def find_previews(folder: Path) -> list[PreviewSound]:
    """Return the previews in a run's ``previews`` folder, in no particular order."""
    return [sound for path in folder.glob("*.wav") if (sound := PreviewSound.from_path(path)) is not None]
