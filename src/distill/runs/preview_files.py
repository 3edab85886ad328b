"""Reads from its path what a preview is.  No Qt."""

import re
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"(?:preview_epoch(\d+)_(\d+)|recon_epoch(\d+)_(orig|recon)_(\d+))\.wav")


#: Number of the epoch "before training", and the folder inside ``previews`` that holds its files, named as of epoch 0.
BEFORE_TRAINING, BEFORE_FOLDER = -1, "before_training"


#: New sounds and reconstructed pairs that a run makes at a time.
SAMPLES, PAIRS = 3, 2


class PreviewKind(IntEnum):
    """The kind of a preview."""

    SAMPLE = 0
    ORIGINAL = 1
    RECONSTRUCTION = 2


class Slot(NamedTuple):
    """A column of previews: one of the fixed latents, or one of the reconstructed sounds.

    Slots sort as they are shown: new sounds first.
    """

    is_pair: bool
    number: int


@dataclass(frozen=True)
class PreviewSound:
    """A preview; ``epoch`` counts from 0 as in its file name, or is `BEFORE_TRAINING`."""

    slot: Slot
    kind: PreviewKind
    epoch: int
    path: Path

    @classmethod
    def from_path(cls, path: Path) -> "PreviewSound | None":
        """Parse a path; None for a file of another kind."""
        match = _NAME.fullmatch(path.name)
        if match is None:
            return None
        epoch, number, pair_epoch, part, pair_number = match.groups()
        at = BEFORE_TRAINING if path.parent.name == BEFORE_FOLDER else int(epoch if part is None else pair_epoch)
        if part is None:
            return cls(Slot(False, int(number)), PreviewKind.SAMPLE, at, path)
        kind = PreviewKind.ORIGINAL if part == "orig" else PreviewKind.RECONSTRUCTION
        return cls(Slot(True, int(pair_number)), kind, at, path)

    @property
    def folder(self) -> Path:
        """The ``previews`` folder of its run."""
        return self.path.parent.parent if self.epoch == BEFORE_TRAINING else self.path.parent

    @property
    def number(self) -> int:
        """Number of its latent or reconstructed sound, from 0."""
        return self.slot.number

    def original(self) -> "PreviewSound | None":
        """Return the original of a reconstruction."""
        if self.kind is not PreviewKind.RECONSTRUCTION:
            return None
        return PreviewSound.from_path(self.path.with_name(self.path.name.replace("_recon_", "_orig_")))


def find_previews(folder: Path) -> list[PreviewSound]:
    """Return the previews in a run's ``previews`` folder, in no particular order."""
    files = [*folder.glob("*.wav"), *(folder / BEFORE_FOLDER).glob("*.wav")]
    return [sound for path in files if (sound := PreviewSound.from_path(path)) is not None]
