"""The same draw by the models of several runs: new sounds of one seed, kept in the cache folder."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from distill import paths
from distill.audio.wav_writer import write_wav
from distill.errors import DistillError
from distill.names import slug
from distill.runs.comparison import SameSound
from distill.runs.folder import MODEL

#: How many sounds are kept for comparisons; each is about 100 kB.
_MOST_KEPT = 400


def same_seed(
    runs: Sequence[Path],
    seed: int,
    count: int,
    progress: Callable[[float], None] = lambda _share: None,
    cancel_event: threading.Event | None = None,
) -> list[SameSound]:
    """Generate ``count`` sounds with the model of each run, from one seed, and return them side by side.

    A run without a model, or whose model cannot make new sounds, has none.

    Raises
    ------
    DistillError
        No run can make any.
    OSError
        A sound cannot be written.
    """
    _tidy()
    rows: list[list[Path | None]] = []
    reasons: list[str] = []
    for index, run in enumerate(runs):
        if cancel_event is not None and cancel_event.is_set():
            break
        try:
            rows.append(list(_sounds(run / MODEL, run.name, seed, count)))
        except DistillError as exc:
            reasons.append(str(exc))
            rows.append([None] * count)
        progress((index + 1) / len(runs))
    if len(reasons) == len(runs):
        raise DistillError(reasons[0])
    return [
        SameSound("", number, None, tuple(files)) for number, files in enumerate(zip(*rows, strict=True)) if any(files)
    ]


def _sounds(model_file: Path, name: str, seed: int, count: int) -> list[Path]:
    """Return the sounds of a model file; those that were made before are taken as they are."""
    if not model_file.is_file():
        raise DistillError(f"The run {name} has no model yet. Finish it first.")
    stem = f"{slug(name)} {model_file.stat().st_mtime_ns:x} seed {seed} of {count}"
    files = [_folder() / f"{stem} {number + 1}.wav" for number in range(count)]
    if not all(file.is_file() for file in files):
        from distill.generation.new_sounds import make_new
        from distill.models.persistence import open_model

        for file, sound in zip(files, make_new(open_model(model_file), model_file, count, seed), strict=True):
            write_wav(file, sound.audio)
    return files


def _folder() -> Path:
    return paths.cache_dir() / "compared"


def _tidy() -> None:
    """Remove the sounds that were made longest ago, beyond `_MOST_KEPT`."""
    dated = []
    for file in _folder().glob("*.wav"):
        with suppress(OSError):
            dated.append((file.stat().st_mtime_ns, file))
    for _, file in sorted(dated, reverse=True)[_MOST_KEPT:]:
        with suppress(OSError):
            file.unlink()
