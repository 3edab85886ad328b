"""Identifies the weights of a model by their content, and keeps the files of those that sounds were generated with.

A model file is replaced when its run is resumed, but a recipe needs the weights that it was generated with.  A hard
link beside the generated sounds keeps them, and takes no space as long as the library has the same file.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from distill.files import write_whole
from distill.generation.history.sound_history import generated_dir
from distill.models.file_format import SUFFIX

if TYPE_CHECKING:
    from distill.models.inference import OpenModel

log = logging.getLogger(__name__)


def weights_id(model: "OpenModel") -> str:
    """Return the content id of everything that a model generates with: network, prior, detail and stereo images."""
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for part in (model.model, model.parts.prior, model.parts.detail, model.parts.stereo):
        for name, value in sorted(part.state_dict().items()) if part is not None else ():
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


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
    return generated_dir() / "models"


def _file_of(weights: str) -> Path:
    return _folder() / f"{Path(weights).name}{SUFFIX}"
