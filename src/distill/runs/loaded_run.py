"""A run as the window shows it: read from its folder, without the engine and without Qt."""

from dataclasses import dataclass
from pathlib import Path

from distill.files import is_file
from distill.json_files import read_json
from distill.metrics_history import AnyHistory
from distill.runs.preview_files import PreviewSound, find_previews
from distill.runs.run_history import read_history, whole_lines_size
from distill.runs.run_owner import training_host
from distill.runs.run_record import Interruption, RunRecord


@dataclass(frozen=True)
class LoadedRun:
    """A run on disk."""

    folder: Path
    record: RunRecord
    history: AnyHistory
    previews: list[PreviewSound]
    checkpoint_epoch: int | None = None  # of the newest checkpoint, counted from 0
    kept: float = 0.0  # where that checkpoint stands, in epochs: 1 is the end of the first one
    missing: tuple[Path, ...] = ()  # sounds that are not where they were
    host: str | None = None  # the computer that trains it right now
    history_bytes: int = 0  # of the whole lines of the history's file, when it was read

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
        size = whole_lines_size(folder)
        checkpoints = [path.stem.removeprefix("checkpoint_epoch") for path in folder.glob("checkpoints/*.pt")]
        newest = max((int(number) for number in checkpoints if number.isdecimal()), default=None)
        previews = find_previews(folder / "previews")
        history = read_history(folder)
        kept = _kept_position(folder, newest, history)
        return cls(folder, record, history, previews, newest, kept, missing_sounds(record), host, size)

    @property
    def was_killed(self) -> bool:
        """Whether its process has ended without a word."""
        return self.record.status == "running" and self.host is None

    @property
    def interruptions(self) -> list[Interruption]:
        """Where the run was killed, in order; the last one may not have been resumed yet."""
        interruptions = list(self.record.interruptions)
        if self.was_killed and self.history.position:
            kept = min(self.kept, self.history.position)
            interruptions.append(Interruption(kept, self.history.position, is_resumed=False))
        return interruptions

    @property
    def share_done(self) -> float:
        """The share of the run that is done, from 0 to 1."""
        return min(1.0, len(self.history.epochs) / max(1, self.record.config.max_epochs))


def _kept_position(folder: Path, newest: int | None, history: AnyHistory) -> float:
    """Return where a run's newest checkpoint stands; one of an unfinished epoch says how many steps it has done."""
    if newest is None:
        return 0.0
    try:
        facts = read_json(folder / "checkpoints" / f"checkpoint_epoch{newest:04d}.meta.json")
        steps, total = int(facts["step_in_epoch"]), int(history.step_column("total_steps")[-1])
    except (OSError, ValueError, LookupError, TypeError, OverflowError):  # it is of a complete epoch
        return newest + 1.0
    return newest + min(max(steps, 0) / max(total, 1), 1.0)


def missing_sounds(record: RunRecord) -> tuple[Path, ...]:
    """Return the sounds of a run that are not where they were; those that it skipped do not count."""
    skipped = {item.path for item in record.skipped}
    return tuple(path for path in record.file_paths if path not in skipped and not is_file(path))
