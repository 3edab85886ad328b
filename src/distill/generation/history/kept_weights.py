"""Keeps the model files with whose weights sounds were generated, by the content ids of the weights.

A model file is replaced when its run is resumed, but a recipe needs the weights that it was generated with.  A hard
link beside the generated sounds keeps them, and takes no space as long as the library has the same file.
"""

import logging
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from distill import paths
from distill.files import write_whole
from distill.models.file_format import SUFFIX

log = logging.getLogger(__name__)


def keep_weights(model_file: Path, weights: str) -> None:
    """Keep a model file for recipes.  A failure costs only the exact repetition after the model has been replaced.

    Call it once the recipe is in the history: `tidy_weights` may come at any moment.
    """
    target = _file_of(weights)
    if target.exists():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(model_file, target)
        except OSError:  # another disk, or a file system without hard links
            with model_file.open("rb") as original, write_whole(target) as copy:
                shutil.copyfileobj(original, copy)
    except OSError as exc:
        log.warning("The weights of %s are not kept for recipes: %s", model_file, exc)


def kept_weights(weights: str) -> Path | None:
    """Return the kept file of these weights, or None."""
    path = _file_of(weights)
    return path if weights and path.is_file() else None


def tidy_weights(used: Collection[str]) -> None:
    """Delete the kept files of weights that no recipe names any more."""
    for path in _folder().glob(f"*{SUFFIX}"):
        if path.stem not in used:
            try:
                path.unlink()
            except OSError as exc:
                log.info("%s is not deleted: %s", path, exc)


def _folder() -> Path:
    return paths.generated_dir() / "models"


def _file_of(weights: str) -> Path:
    return _folder() / f"{Path(weights).name}{SUFFIX}"
