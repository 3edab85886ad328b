"""The files of previews: which there are, and what each is by its path.  No Qt."""

import re
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from distill.config.keyword_aliases import accept_keywords

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


def expected_slots(makes_new_sounds: bool) -> list[Slot]:
    """Return the slots that a run fills with each of its previews; not every family makes new sounds."""
    new_sounds = [Slot(False, number) for number in range(SAMPLES if makes_new_sounds else 0)]
    return new_sounds + [Slot(True, number) for number in range(PAIRS)]


def sample_name(epoch: int, number: int) -> str:
    """Return the name of the file of a new sound; both numbers count from 0."""
    return f"preview_epoch{epoch:04d}_{number:02d}.wav"


def pair_names(epoch: int, number: int) -> tuple[str, str]:
    """Return the names of the files of an original and its reconstruction."""
    return f"recon_epoch{epoch:04d}_orig_{number:02d}.wav", f"recon_epoch{epoch:04d}_recon_{number:02d}.wav"


def _parse_name(name: str) -> tuple[PreviewKind, int, int] | None:
    """Return the kind, the epoch and the number that the name of a preview's file says; None for another file."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    epoch, number, pair_epoch, part, pair_number = match.groups()
    if part is None:
        return PreviewKind.SAMPLE, int(epoch), int(number)
    kind = PreviewKind.ORIGINAL if part == "orig" else PreviewKind.RECONSTRUCTION
    return kind, int(pair_epoch), int(pair_number)


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
        named = _parse_name(path.name)
        if named is None:
            return None
        kind, epoch, number = named
        preview_epoch = BEFORE_TRAINING if path.parent.name == BEFORE_FOLDER else epoch
        return cls(Slot(kind is not PreviewKind.SAMPLE, number), kind, preview_epoch, path)

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
        return PreviewSound.from_path(original_of(self.path))


def find_previews(folder: Path) -> list[PreviewSound]:
    """Return the previews in a run's ``previews`` folder, in no particular order."""
    files = [*folder.glob("*.wav"), *(folder / BEFORE_FOLDER).glob("*.wav")]
    return [sound for path in files if (sound := PreviewSound.from_path(path)) is not None]


def original_of(reconstruction: Path) -> Path:
    """Return the path of the original that lies beside a reconstruction."""
    return reconstruction.with_name(reconstruction.name.replace("_recon_", "_orig_"))


@accept_keywords(folder="preview_dir")
def list_previews(preview_dir: Path | str) -> list[dict[str, Any]]:
    """Return ``epoch``, ``path`` and ``filename`` of the new sounds in a folder, by epoch."""
    return [{"epoch": e, "path": p, "filename": p.name} for e, _, p in _listed(preview_dir, PreviewKind.SAMPLE)]


@accept_keywords(folder="preview_dir")
def list_reconstructions(preview_dir: Path | str) -> list[dict[str, Any]]:
    """Return ``epoch``, ``index``, ``path``, ``filename`` and ``original_path`` of reconstructions, by epoch."""
    return [
        {"epoch": e, "index": n, "path": p, "filename": p.name, "original_path": original_of(p)}
        for e, n, p in _listed(preview_dir, PreviewKind.RECONSTRUCTION)
    ]


def _listed(folder: Path | str, kind: PreviewKind) -> list[tuple[int, int, Path]]:
    """Return epoch, number and path of the previews of a kind that a folder itself holds, by epoch and number."""
    named = ((_parse_name(path.name), path) for path in Path(folder).glob("*.wav"))
    return sorted((name[1], name[2], path) for name, path in named if name is not None and name[0] is kind)
