"""What a scan of files and folders found: sounds that can be used, and what was skipped.

Records of runs hold it, which the window reads before it has imported anything that decodes sounds.
"""

from dataclasses import dataclass
from pathlib import Path

_KINDS = 6  # suffixes that are named in a message


@dataclass(frozen=True)
class SkippedSound:
    """A file or folder that is skipped, and why; the reason is a phrase that follows its name."""

    path: Path
    reason: str


@dataclass(frozen=True)
class SoundEntry:
    """A sound that can be used, as far as its header tells.

    Attributes
    ----------
    path, name
        The file, and its name for people.
    duration_s
        Seconds.
    sample_rate, channels
        As in the file.
    size_bytes, mtime_ns
        Of the file, when it was scanned.
    """

    path: Path
    name: str
    duration_s: float
    sample_rate: int
    channels: int
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class ScanResult:
    """What was found.

    Attributes
    ----------
    entries
        Sounds that can be used as far as their headers show.
    skipped
        Files and folders that cannot be used, with the reason.
    passed_over
        Files that are no sounds by their names: suffixes and their number, the most frequent first.
    """

    entries: tuple[SoundEntry, ...]
    skipped: tuple[SkippedSound, ...]
    passed_over: tuple[tuple[str, int], ...] = ()

    def passed_over_text(self) -> str:
        """Return one line about the files that are no sounds; empty where there are none."""
        other_files = sum(count for _, count in self.passed_over)
        if not other_files:
            return ""
        kinds = ", ".join(f"{count} {suffix or 'without a suffix'}" for suffix, count in self.passed_over[:_KINDS])
        more = f", {len(self.passed_over) - _KINDS} other kinds" if len(self.passed_over) > _KINDS else ""
        return f"{other_files} other {'file is' if other_files == 1 else 'files are'} no sound by name: {kinds}{more}."

    @property
    def file_count(self) -> int:
        """Number of files and folders that were examined."""
        return len(self.entries) + len(self.skipped)
