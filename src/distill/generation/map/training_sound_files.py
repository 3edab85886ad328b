"""Finds the files of the sounds on a map by the hashes of their content.  No torch here.

A model file names no files.  The sounds are looked for among those of the runs on this computer, which remember where
their sounds were, or in folders that the user names.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from distill import paths
from distill.audio.cache.sound_cache import SoundCache
from distill.errors import DistillError
from distill.files import is_file
from distill.runs.run_record import RunRecord


def find_sounds(fingerprints: Sequence[str], candidates: Iterable[Path]) -> dict[str, Path]:
    """Return the file of each fingerprint that is among the candidates; files that cannot be read are passed over."""
    wanted, cache = set(fingerprints) - {""}, SoundCache()
    files: dict[str, Path] = {}
    lengths = {len(text) for text in wanted}
    for path in candidates:
        if len(files) == len(wanted):
            break
        with suppress(DistillError, OSError):
            digest = cache.content_hash(path)
            for length in lengths:
                if digest[:length] in wanted:
                    files.setdefault(digest[:length], path)
    return files


def sounds_of_runs(model_file: Path) -> list[Path]:
    """Return the sounds of the run in a model file's folder, then those of all other runs, the newest first."""
    folders = [model_file.absolute().parent]
    with suppress(OSError):
        folders += sorted(paths.runs_dir().iterdir(), reverse=True)
    sounds: dict[Path, None] = {}
    for folder in folders:
        with suppress(DistillError, OSError, ValueError):
            sounds |= dict.fromkeys(path for path in RunRecord.load(folder).file_paths if is_file(path))
    return list(sounds)
