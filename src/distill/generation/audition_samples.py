"""Sounds to judge models by: the last previews of a run, a sound made for the purpose, or one seed in several models.

No Qt and, until a sound is made, no torch.  All of this reads from the disk, and belongs into a background thread.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from distill import paths
from distill.audio.export import write_wav
from distill.config.family_catalog import family_info
from distill.errors import ConfigurationError, DistillError, ModelFileError
from distill.files import is_file
from distill.library.index import read_facts
from distill.library.model_entry import ModelEntry
from distill.names import slug
from distill.paths import RUN_MARKER
from distill.runs.comparison import SameSound
from distill.runs.folder import MODEL
from distill.runs.preview_files import PreviewKind, PreviewSound, find_previews
from distill.runs.run_record import RunRecord

log = logging.getLogger(__name__)

#: Seed of the sound that is made to hear a model: always the same, so that models can be compared by ear.
SEED = 0

#: How many generated sounds are kept to hear single models by, and for comparisons; each is about 100 kB.
MOST_KEPT, _MOST_COMPARED = 200, 400


class AuditionKind(Enum):
    """What an audition sample is."""

    NEW = "new"
    ORIGINAL = "original"
    MODEL = "model"


@dataclass(frozen=True)
class AuditionSample:
    """A sound to hear a model by.

    Attributes
    ----------
    kind, number
        What it is; the number counts from 0 among those of its kind.
    path
        Its file.
    source
        Name of the user's sound that it is, or is a copy of; empty where that is not known.
    is_trained
        Whether the model was trained on that sound.
    """

    kind: AuditionKind
    number: int
    path: Path
    source: str = ""
    is_trained: bool = False


@dataclass(frozen=True)
class AuditionSamples:
    """What there is to hear of a model, and whether one more sound can be made where there is nothing."""

    entry: ModelEntry
    sounds: tuple[AuditionSample, ...]
    can_make: bool


def find_samples(entry: ModelEntry) -> AuditionSamples:
    """Return what there is to hear of a model: previews of its run, then what was made for it before."""
    samples: tuple[AuditionSample, ...] = ()
    run = find_run(entry)
    if run is not None:
        samples = _with_source_names(last_samples(find_previews(run / "previews")), run)
    if not samples and (generated := _generated_path(entry)).is_file():
        _note_use(generated)
        samples = (AuditionSample(AuditionKind.NEW, 0, generated),)
    return AuditionSamples(entry, samples, can_make_new_sounds(entry))


def can_make_new_sounds(entry: ModelEntry) -> bool:
    """Whether the model's family makes new sounds."""
    with suppress(ConfigurationError):
        return family_info(entry.family).makes_new_sounds
    return False


def last_samples(previews: list[PreviewSound]) -> tuple[AuditionSample, ...]:
    """Return the newest preview of each kind and number: new sounds first, then originals beside reconstructions."""
    newest: dict[tuple[bool, int, PreviewKind], PreviewSound] = {}
    for sound in previews:
        key = (sound.slot.is_pair, sound.number, sound.kind)
        if key not in newest or newest[key].epoch < sound.epoch:
            newest[key] = sound
    kinds = {
        PreviewKind.SAMPLE: AuditionKind.NEW,
        PreviewKind.ORIGINAL: AuditionKind.ORIGINAL,
        PreviewKind.RECONSTRUCTION: AuditionKind.MODEL,
    }
    return tuple(
        AuditionSample(kinds[kind], number, newest[key].path) for key in sorted(newest) for _, number, kind in [key]
    )


def _with_source_names(samples: tuple[AuditionSample, ...], run: Path) -> tuple[AuditionSample, ...]:
    """Return the sounds of a run with the names of the user's sounds, as far as the run's record knows them."""
    try:
        record = RunRecord.load(run)
    except DistillError:
        return samples
    names, trained = record.preview_sounds, record.preview_training
    return tuple(
        replace(sample, source=names[sample.number].name, is_trained=sample.number in trained)
        if sample.kind is not AuditionKind.NEW and sample.number < len(names)
        else sample
        for sample in samples
    )


def find_run(entry: ModelEntry) -> Path | None:
    """Return the folder of the run that made a model, or None where it is gone or was made on another computer.

    A model notes the moment at which its run began; where two runs began in the same one, their model files decide.
    """
    if not entry.facts.trained:
        return None
    began_then = [folder for folder in _run_folders() if _began(folder) == entry.facts.trained]
    with_model = [folder for folder in began_then if _model_id(folder / MODEL) in (None, entry.model_id)]
    return with_model[0] if with_model else None


def _run_folders() -> Iterator[Path]:
    with suppress(OSError):
        for path in paths.runs_dir().iterdir():
            if is_file(path / RUN_MARKER):
                yield path


def _began(folder: Path) -> str:
    try:
        return RunRecord.load(folder).created
    except DistillError:
        return ""


def _model_id(path: Path) -> str | None:
    try:
        return read_facts(path).model_id if path.is_file() else None
    except ModelFileError:
        return None


def make_sample(entry: ModelEntry) -> Path:
    """Let a model make one sound, and return its file.  Imports torch.

    Raises
    ------
    DistillError
        The model cannot be used.
    OSError
        The sound cannot be written.
    """
    path = _generated_path(entry)
    _write_samples(entry.path, SEED, [path])
    return path


def _write_samples(model_file: Path, seed: int, files: Sequence[Path]) -> None:
    """Let a model make a sound of a seed for each file."""
    from distill.generation.new_sounds import make_new
    from distill.models.persistence import open_model

    for file, sound in zip(files, make_new(open_model(model_file), model_file, len(files), seed), strict=True):
        write_wav(file, sound.audio)


def _generated_path(entry: ModelEntry) -> Path:
    """Return where the sound is kept: for a file that was changed it is made anew."""
    return _generated_dir() / f"{slug(entry.path.stem, 'model')} {entry.mtime_ns:x}.wav"


def _generated_dir() -> Path:
    return paths.cache_dir() / "probes"


def tidy_samples(models: Iterable[ModelEntry]) -> None:
    """Remove what was made for models that are gone or were changed, and beyond `MOST_KEPT` what was used longest ago.

    What cannot be removed now, as it is open on Windows, goes another time.
    """
    wanted, used = {_generated_path(entry) for entry in models}, []
    for path in _generated_dir().glob("*.wav"):
        with suppress(OSError):
            if path in wanted:
                used.append((path.stat().st_atime_ns, path))
            else:
                path.unlink()
    for _, path in sorted(used, reverse=True)[MOST_KEPT:]:
        with suppress(OSError):
            path.unlink()


def _note_use(path: Path) -> None:
    """Set when a sound was used last; when it was written stays: its picture is remembered by that."""
    with suppress(OSError):
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def same_seed_samples(
    runs: Sequence[Path],
    seed: int,
    count: int,
    progress: Callable[[float], None] = lambda _share: None,
    cancel_event: threading.Event | None = None,
) -> list[SameSound]:
    """Generate ``count`` sounds with the model of each run, from one seed, and return them side by side.

    They are kept in the cache folder.

    A run without a model, or whose model cannot make new sounds, has none.

    Raises
    ------
    DistillError
        No run can make any.
    OSError
        A sound cannot be written.
    """
    _tidy_compared()
    rows: list[list[Path | None]] = []
    reasons: list[str] = []
    for index, run in enumerate(runs):
        if cancel_event is not None and cancel_event.is_set():
            break
        try:
            rows.append(list(_seed_samples(run / MODEL, run.name, seed, count)))
        except DistillError as exc:
            reasons.append(str(exc))
            rows.append([None] * count)
        progress((index + 1) / len(runs))
    if len(reasons) == len(runs):
        raise DistillError(reasons[0])
    return [
        SameSound("", number, None, tuple(files)) for number, files in enumerate(zip(*rows, strict=True)) if any(files)
    ]


def _seed_samples(model_file: Path, name: str, seed: int, count: int) -> list[Path]:
    """Return the sounds of a model file; those that were made before are taken as they are."""
    if not model_file.is_file():
        raise DistillError(f"The run {name} has no model yet. Finish it first.")
    sample_stem = f"{slug(name)} {model_file.stat().st_mtime_ns:x} seed {seed} of {count}"
    files = [_compared_dir() / f"{sample_stem} {number + 1}.wav" for number in range(count)]
    if not all(file.is_file() for file in files):
        _write_samples(model_file, seed, files)
    return files


def _compared_dir() -> Path:
    return paths.cache_dir() / "compared"


def _tidy_compared() -> None:
    """Remove the sounds that were made longest ago, beyond `_MOST_COMPARED`."""
    dated = []
    for file in _compared_dir().glob("*.wav"):
        with suppress(OSError):
            dated.append((file.stat().st_mtime_ns, file))
    for _, file in sorted(dated, reverse=True)[_MOST_COMPARED:]:
        with suppress(OSError):
            file.unlink()
