"""What is known of a sound in the list, and what a person reads of it."""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from distill.audio.scan_result import SoundEntry


class SoundStatus(IntEnum):
    """What is known about a file."""

    LISTED = 0
    READY = 1
    SKIPPED = 2


@dataclass(frozen=True)
class CheckedSound:
    """What decoding has shown: ``reason`` is None, or why the sound is left out; then nothing else is known."""

    path: Path
    reason: str | None
    content_hash: str = ""
    is_stereo: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SoundRow:
    """A row of the list.

    Attributes
    ----------
    path, entry
        The file, and what its header says; ``entry`` is None where not even that could be read.
    status, reason
        Whether it can be used; ``reason`` says why it is left out.
    content_hash
        Of the file, once it is decoded: the split depends on it.
    is_stereo
        Whether it has two channels that differ, once it is decoded.
    notes
        What is said of how it was decoded: damage that was stepped over, or that one channel is used.
    is_excluded
        The user does not want it.
    is_held_out
        The next training will measure with it and not learn from it; None while that is not certain.
    is_divided
        Only its end is held out; its beginning is trained on.
    peak_dbfs, rms_dbfs
        How loud it is, in dB of full scale; None while that is not known.
    """

    path: Path
    entry: SoundEntry | None
    status: SoundStatus = SoundStatus.LISTED
    reason: str = ""
    content_hash: str = ""
    is_stereo: bool = False
    notes: tuple[str, ...] = ()
    is_excluded: bool = False
    is_held_out: bool | None = None
    is_divided: bool = False
    peak_dbfs: float | None = None
    rms_dbfs: float | None = None

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.entry.name if self.entry else self.path.name

    @property
    def is_usable(self) -> bool:
        """Whether the next training gets it: it is not known to be bad, and the user wants it."""
        return self.status is not SoundStatus.SKIPPED and not self.is_excluded
