"""Two to four runs side by side: their curves, what their settings differ in, and the same sounds of each.

No torch and no Qt; everything is read from the folders of the runs.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from distill.config.family_catalog import family_info
from distill.config.setting_fields import setting_fields, setting_value
from distill.errors import RunFolderError
from distill.runs.preview_files import BEFORE_TRAINING, PreviewKind, PreviewSound, find_previews
from distill.runs.run_history import HISTORY, read_epochs
from distill.runs.run_record import RunRecord
from distill.runs.summary import RunSummary, summarise

#: How many runs can be compared.
FEWEST_RUNS, MOST_RUNS = 2, 4
#: What stands for a setting that a family does not have.
NO_VALUE = "–"


class EpochPoint(NamedTuple):
    """An epoch: its number from 1, seconds since the run began, and the loss on held-out sounds."""

    epoch: int
    seconds: float
    loss: float


@dataclass(frozen=True)
class ComparedRun:
    """A run as it is compared.

    Attributes
    ----------
    summary, record
        What its folder says of it.
    curve
        Its epochs, those without a loss left out.
    previews
        Its previews.
    """

    summary: RunSummary
    record: RunRecord
    curve: tuple[EpochPoint, ...]
    previews: tuple[PreviewSound, ...]

    @classmethod
    def read(cls, folder: Path) -> "ComparedRun":
        """Read a run.

        Raises
        ------
        RunFolderError
            The folder is no run, or its record is damaged.
        """
        record = RunRecord.load(folder)
        previews = tuple(find_previews(folder / "previews"))
        return cls(summarise(folder), record, tuple(_points(folder / HISTORY)), previews)

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self.summary.folder

    @property
    def name(self) -> str:
        """The user's name for it."""
        return self.summary.name

    @property
    def best(self) -> EpochPoint | None:
        """The epoch of the lowest loss."""
        return min(self.curve, key=lambda point: point.loss, default=None)

    @property
    def seconds(self) -> float:
        """How long it has trained."""
        return self.curve[-1].seconds if self.curve else 0.0


class DifferingSetting(NamedTuple):
    """A setting that is not the same in all runs, with its value in each."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class SameSound:
    """A sound that several runs have made: a copy of the same training sound, or the new sound of the same draw.

    Attributes
    ----------
    name
        Name of the file that is copied; empty for a new sound.
    number
        Of a new sound, from 0.
    original
        The sound that is copied, or None.
    files
        What each run has made of it, None where it has nothing.
    epochs
        The epoch of each file, from 1; 0 before training.
    """

    name: str
    number: int
    original: Path | None
    files: tuple[Path | None, ...]
    epochs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Runs side by side."""

    runs: tuple[ComparedRun, ...]

    @classmethod
    def read(cls, folders: Sequence[Path]) -> "Comparison":
        """Read the runs.

        Raises
        ------
        RunFolderError
            There are too few or too many, or one of them cannot be read.
        """
        if not FEWEST_RUNS <= len(folders) <= MOST_RUNS:
            raise RunFolderError(f"{FEWEST_RUNS} to {MOST_RUNS} runs can be compared, not {len(folders)}.")
        return cls(tuple(ComparedRun.read(folder) for folder in folders))

    @property
    def has_same_loss(self) -> bool:
        """Whether the losses of the runs can be compared: those of other families measure something else."""
        return len({run.record.config.family for run in self.runs}) == 1

    def differences(self) -> list[DifferingSetting]:
        """Return the settings that differ; one that only one of the runs has does not."""
        rows = [
            ("Family", [family_info(run.record.config.family).plain_name for run in self.runs]),
            ("Sounds", [_sounds_text(run, self.runs[0]) for run in self.runs]),
            ("Epochs", [str(run.record.epochs_asked) for run in self.runs]),
        ]
        settings = [_settings(run) for run in self.runs]
        labels = dict.fromkeys(label for values in settings for label in values)
        rows += [(label, [values.get(label, NO_VALUE) for values in settings]) for label in labels]
        return [DifferingSetting(label, tuple(values)) for label, values in rows if len(set(values) - {NO_VALUE}) > 1]

    def epochs_with_sounds(self) -> list[int]:
        """Return the epochs, from 1, at which any run has previews."""
        return sorted({sound.epoch + 1 for run in self.runs for sound in run.previews if sound.epoch >= 0})

    def same_sounds(self, epoch: int | None = None, at_best: bool = False) -> list[SameSound]:
        """Return the sounds that there are of several runs, or of one.

        Parameters
        ----------
        epoch
            From 1: the newest previews that are not of a later epoch; None for the newest.
        at_best
            Whether each run is heard at its best epoch instead.
        """
        limits = [(run.best.epoch if run.best else None) if at_best else epoch for run in self.runs]
        pairs: dict[tuple[str, int], list[PreviewSound | None]] = {}
        samples: dict[int, list[PreviewSound | None]] = {}
        for index, (run, limit) in enumerate(zip(self.runs, limits, strict=True)):
            for sound in _newest(run.previews, limit):
                table: dict[Any, list[PreviewSound | None]] = pairs if sound.slot.is_pair else samples
                key = _source_of(run, sound.number) if sound.slot.is_pair else sound.number
                table.setdefault(key, [None] * len(self.runs))[index] = sound
        copies = [_same(name, 0, sounds) for (name, _), sounds in pairs.items()]
        return copies + [_same("", number, samples[number]) for number in sorted(samples)]


def _points(history: Path) -> Iterator[EpochPoint]:
    for facts in read_epochs(history):
        try:
            point = EpochPoint(int(facts["epoch"]) + 1, float(facts["elapsed_seconds"]), float(facts["val_loss"]))
        except (ValueError, LookupError, TypeError, OverflowError):
            continue
        if math.isfinite(point.loss) and math.isfinite(point.seconds):
            yield point


def _settings(run: ComparedRun) -> dict[str, str]:
    """Return the settings of a run as texts, by label: families call the same thing by other names inside."""
    config = run.record.config
    return {
        field.label: field.text(setting_value(config, field.name))
        for field in setting_fields(config)
        if field.name not in ("family", "max_epochs")
    }


def _sounds_text(run: ComparedRun, first: ComparedRun) -> str:
    """Return how many sounds a run was trained on, and how many of them the first run has not."""
    count = run.summary.sounds
    others = len({path.name for path in run.record.file_paths} - {path.name for path in first.record.file_paths})
    return f"{count} ({others} new)" if others else str(count)


def _source_of(run: ComparedRun, number: int) -> tuple[str, int]:
    """Return the name of the sound that a reconstruction is a copy of; a number for records that do not know.

    How many sounds before it have that name comes second: files of other folders, or the parts of one that is divided.
    """
    names = [path.name for path in run.record.preview_sounds]
    return (names[number], names[:number].count(names[number])) if number < len(names) else (f"sound {number + 1}", 0)


def _newest(previews: Sequence[PreviewSound], limit: int | None) -> list[PreviewSound]:
    """Return the newest sample and reconstruction of each slot that is not later than an epoch, or the first one."""
    found: dict[Any, PreviewSound] = {}
    for sound in sorted(previews, key=lambda sound: sound.epoch):
        if sound.kind is PreviewKind.ORIGINAL:
            continue
        if sound.slot not in found or limit is None or sound.epoch < limit:
            found[sound.slot] = sound
    return [found[slot] for slot in sorted(found)]


def _same(name: str, number: int, sounds: list[PreviewSound | None]) -> SameSound:
    there = [sound for sound in sounds if sound is not None]
    original = next((found for sound in there if (found := sound.original()) is not None), None)
    path = original.path if original is not None and original.path.is_file() else None
    epochs = tuple(0 if sound is None or sound.epoch == BEFORE_TRAINING else sound.epoch + 1 for sound in sounds)
    return SameSound(name, number, path, tuple(None if sound is None else sound.path for sound in sounds), epochs)
