"""A run as the window shows it: read from its folder, without the engine and without Qt."""

from dataclasses import dataclass
from pathlib import Path

from distill.history import AnyHistory
from distill.runs.folder import RunRecord, read_history
from distill.runs.growth import history_size
from distill.runs.holder import training_host
from distill.runs.preview_sound import PreviewSound, find_previews


@dataclass(frozen=True)
class LoadedRun:
    """A run on disk."""

    folder: Path
    record: RunRecord
    history: AnyHistory
    previews: list[PreviewSound]
    checkpoint_epoch: int | None = None  # of the newest checkpoint, counted from 0
    missing: tuple[Path, ...] = ()  # sounds that are not where they were
    host: str | None = None  # the computer that trains it right now
    history_bytes: int = 0  # of the history's file, when it was read

    @classmethod
    def read(cls, folder: Path) -> "LoadedRun":
        """Read a run's record, curves and list of previews.

        Raises
        ------
        RunFolderError
            The folder is no run, or its record is damaged.
        """
        record = RunRecord.load(folder)
        host = training_host(folder)
        size = history_size(folder)
        checkpoints = [path.stem.removeprefix("checkpoint_epoch") for path in folder.glob("checkpoints/*.pt")]
        newest = max((int(number) for number in checkpoints if number.isdecimal()), default=None)
        previews = find_previews(folder / "previews")
        return cls(folder, record, read_history(folder), previews, newest, missing_sounds(record), host, size)

    @property
    def share_done(self) -> float:
        """The share of the run that is done, from 0 to 1."""
        return min(1.0, len(self.history.epochs) / max(1, self.record.config.max_epochs))


def missing_sounds(record: RunRecord) -> tuple[Path, ...]:
    """Return the sounds of a run that are not where they were; those that it skipped do not count."""
    skipped = {item.path for item in record.skipped}
    return tuple(path for path in record.file_paths if path not in skipped and not path.is_file())
