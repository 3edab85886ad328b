"""The checkpoints of a run on disk, and their sidecars: which there are, the best, the newest whole, which are kept.

Beside each ``checkpoint_epoch0007.pt`` lies ``checkpoint_epoch0007.meta.json`` with its epoch and losses, so that
listing opens no checkpoint.  The sidecar is removed before its checkpoint is replaced and written after it: one that
is there belongs to the checkpoint beside it, and one that is missing or damaged is made again from the checkpoint.
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from distill.config.keyword_aliases import accept_keywords
from distill.errors import CheckpointError, RunFolderError
from distill.events import TrainingNotice
from distill.files import is_access_error
from distill.json_files import read_json, write_json
from distill.runs.folder import MODEL
from distill.runs.record_changes import refuse_lost_checkpoints
from distill.runs.run_record import RunRecord
from distill.serialization.archive import read_stored
from distill.serialization.checkpoint_reader import read_checkpoint


def checkpoint_path(folder: Path, epoch: int) -> Path:
    """Return the path of an epoch's checkpoint."""
    return folder / f"checkpoint_epoch{epoch:04d}.pt"


@accept_keywords(folder="checkpoint_dir")
def list_checkpoints(checkpoint_dir: Path | str) -> list[dict[str, Any]]:
    """Return ``path``, ``epoch``, ``train_loss`` and ``val_loss`` of each whole checkpoint of a folder, by epoch.

    Sidecars alone are read.  One that is missing or damaged is made again from its checkpoint; a checkpoint that is
    then found to be damaged itself is left out.
    """
    checkpoints = []
    for path in sorted(Path(checkpoint_dir).glob("checkpoint_epoch*.pt")):
        facts = losses_of(path)
        if facts is not None:
            checkpoints.append({"path": path, **facts})
    return sorted(checkpoints, key=lambda f: (f["epoch"], f["path"].name))


@accept_keywords(folder="checkpoint_dir")
def get_best_checkpoint(checkpoint_dir: Path | str) -> Path | None:
    """Return the checkpoint of lowest validation loss, or None; one of an epoch in progress is never the best."""
    measured = [f for f in list_checkpoints(checkpoint_dir) if f["val_loss"] is not None]
    best = min(measured, key=lambda f: (f["val_loss"], f["epoch"]), default=None)
    return None if best is None else Path(best["path"])


def newest_whole(folder: Path) -> tuple[Path | None, list[TrainingNotice]]:
    """Return the newest checkpoint that can be read, and what to say of newer ones that cannot.

    Raises
    ------
    CheckpointError
        There are checkpoints, and none can be read; one is out of reach; or they are gone.
    """
    paths = sorted(folder.glob("checkpoint_epoch*.pt"))
    listed = [Path(f["path"]) for f in list_checkpoints(folder)]
    notices = [
        TrainingNotice("checkpoint", f"{path.name} is damaged and is skipped.") for path in paths if path not in listed
    ]
    for path in reversed(listed):
        try:
            read_checkpoint(path)
            return path, notices
        except CheckpointError as exc:
            _refuse_out_of_reach(exc)
            notices.append(TrainingNotice("checkpoint", f"{exc} An older one is used."))
    if paths:
        raise CheckpointError(
            f"None of the {len(paths)} checkpoints in {folder} can be read. Start a new run; the sounds are untouched."
        )
    refuse_lost_checkpoints(folder.parent)
    notices.append(TrainingNotice("resumed", "The run was ended before its first checkpoint; it starts again.", "info"))
    return None, notices


def _refuse_out_of_reach(error: CheckpointError) -> None:
    """Refuse to go on from an older checkpoint where nothing is wrong with one but that it cannot be read now.

    What is trained from the older one would replace it.

    Raises
    ------
    CheckpointError
        ``error`` comes from an error of access, as of a drive that is gone or a file that another program holds.
    """
    if is_access_error(error.__cause__):
        raise CheckpointError(
            f"{error} Nothing was changed. Try again when it can be read, or take it out of the folder to go on from "
            "an older one."
        ) from error


def checkpoint_of(path: Path, epoch: int | None) -> Path:
    """Return the file that a run starts from: a model or a checkpoint itself, or that of a run's folder.

    Parameters
    ----------
    path
        A model file, a checkpoint, or the folder of a run.
    epoch
        The epoch of a run's folder, as people count; None for its model, or its newest checkpoint without one.

    Raises
    ------
    RunFolderError
        There is nothing to start from, or no checkpoint of this epoch; the message names those that there are.
    """
    if not path.is_dir():
        if epoch is not None:
            raise RunFolderError(f"{path.name} is one file: an epoch can be chosen from the folder of a run only.")
        return path
    RunRecord.load(path)
    listed = list_checkpoints(path / "checkpoints")
    if epoch is None:
        if (path / MODEL).is_file():
            return path / MODEL
        if listed:
            return Path(listed[-1]["path"])
        raise RunFolderError(f"The run in {path} has no model and no checkpoint yet. Train it for an epoch first.")
    if any(item["epoch"] == epoch - 1 for item in listed):
        return checkpoint_path(path / "checkpoints", epoch - 1)
    there = ", ".join(str(item["epoch"] + 1) for item in listed) or "none"
    raise RunFolderError(f"The run in {path} has no checkpoint of epoch {epoch}; it has those of the epochs {there}.")


def drop_later_checkpoints(folder: Path | str, epoch: int) -> list[Path]:
    """Delete the checkpoints of later epochs than ``epoch``, from which a run goes on; return the deleted ones.

    Those epochs are trained again.  Left where they are, their checkpoints would pass for the newest of the run: what
    it writes from now on would be deleted as older, and a resume would take them up.  Nothing is deleted behind a link.
    """
    if Path(folder).is_symlink():
        return []
    later = [Path(f["path"]) for f in list_checkpoints(folder) if f["epoch"] > epoch]
    for path in later:
        path.unlink(missing_ok=True)
        sidecar_of(path).unlink(missing_ok=True)
    return later


@accept_keywords(folder="checkpoint_dir")
def manage_checkpoints(checkpoint_dir: Path | str, max_recent: int = 3) -> list[Path]:
    """Delete all checkpoints but the newest ``max_recent`` and the best; return the deleted ones.

    Checkpoints that cannot be read are neither counted nor deleted, whatever their sidecars say: a readable one is
    never deleted in favour of them.  Nothing is deleted behind a link.

    Raises
    ------
    ValueError
        ``max_recent`` is under 1.
    """
    if max_recent < 1:
        raise ValueError(f"max_recent must be at least 1, not {max_recent!r}.")
    listed = list_checkpoints(checkpoint_dir)
    if len(listed) <= max_recent or Path(checkpoint_dir).is_symlink():
        return []
    readable = [facts for facts in listed if _is_readable(Path(facts["path"]))]
    measured = [facts for facts in readable if facts["val_loss"] is not None]
    best = min(measured, key=lambda f: (f["val_loss"], f["epoch"]), default=None)
    kept_checkpoints = [*readable[-max_recent:], *([] if best is None else [best])]
    deleted = [Path(facts["path"]) for facts in readable if facts not in kept_checkpoints]
    for path in deleted:
        path.unlink(missing_ok=True)
        sidecar_of(path).unlink(missing_ok=True)
        _readable.pop(path, None)
    return deleted


#: Checkpoints that have been found readable, and the size, time and number of the file then.
_readable: dict[Path, tuple[int, int, int]] = {}


def _is_readable(path: Path) -> bool:
    """Whether a checkpoint can be read; each file is read once as long as it does not change."""
    try:
        status = path.stat()
        stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
        if _readable.get(path) != stamp:
            read_stored(path, "checkpoint", CheckpointError)
            _readable[path] = stamp
    except (OSError, CheckpointError):
        return False
    return True


# --- sidecars -----------------------------------------------------------------------------------------------------


def sidecar_of(path: Path) -> Path:
    """Return the path of a checkpoint's sidecar."""
    return path.with_suffix(".meta.json")


def sidecar_metadata(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sidecar of a checkpoint; a loss that is no finite number is null.

    That of an unfinished epoch also holds ``step_in_epoch``, the number of its steps that are done.
    """

    def finite(value: Any) -> float | None:
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None

    facts = {
        "epoch": int(checkpoint["epoch"]),
        "train_loss": finite(checkpoint["train_loss"]),
        "val_loss": finite(checkpoint["val_loss"]),
    }
    state = checkpoint.get("training_state")
    if isinstance(state, Mapping) and state.get("epoch_completed") is False and type(state.get("step_in_epoch")) is int:
        facts["step_in_epoch"] = state["step_in_epoch"]
    return facts


def losses_of(path: Path) -> dict[str, Any] | None:
    """Return epoch and losses of a checkpoint by its sidecar, which is made again where it is missing or damaged.

    None where the checkpoint is damaged itself.
    """
    return _read_sidecar(path) or _rebuild_sidecar(path)


def _read_sidecar(path: Path) -> dict[str, Any] | None:
    """Return what the sidecar of a checkpoint says, or None where it is missing or damaged."""
    try:
        facts = read_json(sidecar_of(path))
        epoch, losses = facts["epoch"], (facts["train_loss"], facts["val_loss"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return None
    numbers = all(v is None or (isinstance(v, (int, float)) and abs(v) < math.inf) for v in losses)
    if not isinstance(epoch, int) or isinstance(epoch, bool) or not numbers:
        return None
    return {"epoch": epoch, "train_loss": losses[0], "val_loss": losses[1]}


def _rebuild_sidecar(path: Path) -> dict[str, Any] | None:
    """Make the sidecar of a checkpoint again from the checkpoint; None where that is damaged itself."""
    try:
        facts = sidecar_metadata(read_checkpoint(path))
    except (CheckpointError, TypeError, ValueError):
        return None
    with suppress(OSError):
        write_json(sidecar_of(path), facts)
    return facts
