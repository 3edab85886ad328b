"""What can be done to a run at rest: a new name, and an end.  No torch here.

Each takes the run's lock for the moment that it needs, so that nothing is written beside a training.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from distill.errors import CheckpointError, DistillError, RunFolderError
from distill.runs.folder import MODEL, RunFolder
from distill.runs.loaded_run import missing_sounds
from distill.runs.run_history import HISTORY, read_losses
from distill.runs.run_record import RunRecord

log = logging.getLogger(__name__)


@contextmanager
def _changing(run_dir: Path) -> Iterator[RunRecord]:
    """Give the record of a run, and write it when the block ends without an error.

    Raises
    ------
    RunFolderError
        The folder is no run, is in use, or cannot be written to.
    """
    RunRecord.load(run_dir)  # what is no run is refused before anything is made in it
    folder = RunFolder(run_dir, resuming=True)
    try:
        record = RunRecord.load(run_dir)
        yield record
        record.save(run_dir)
    except DistillError:  # it says what is wrong, and some are errors of the system, too
        raise
    except OSError as exc:
        reason = exc.strerror or exc
        raise RunFolderError(f"The record of the run in {run_dir} could not be written ({reason}).") from exc
    finally:
        folder.close()


def rename_run(run_dir: Path, name: str) -> None:
    """Give a run another name; its folder keeps the one it has, which others may know it by.

    Raises
    ------
    RunFolderError
        As above, or the name is empty.
    """
    if not name.strip():
        raise RunFolderError("A run needs a name. Type one, or press Escape to keep the one it has.")
    with _changing(run_dir) as record:
        record.model_name = name.strip()


def mark_finished(run_dir: Path) -> bool:
    """Call a paused run finished, with the epochs that it has made; nothing is computed here.

    Returns
    -------
    bool
        False where there is more to do than that, and the engine must end the run (`resume_run` with a `StopRequest`
        that asks to finish): it was killed and has no model, or it was paused, and its model has no map, sliders and
        detail yet.  These are computed from the sounds; where some are missing, the model stays as it is.

    Raises
    ------
    RunFolderError
        The folder is no run, is in use, cannot be written to, or not one epoch is made.
    """
    stored = RunRecord.load(run_dir)
    done = sum(1 for _ in read_losses(run_dir / HISTORY))
    if not done:
        raise RunFolderError("This run has not completed an epoch: there is nothing to finish. Resume it instead.")
    lacks_model_parts = stored.status == "stopped" and bool(stored.file_paths) and not missing_sounds(stored)
    if lacks_model_parts or not (run_dir / MODEL).is_file():
        return False
    with _changing(run_dir) as record:
        if record.status == "stopped":
            planned = record.config.max_epochs
            record.notes.append(f"Finished early: {done} of {planned} epochs are made.")
            record.planned_epochs = planned if done < planned else None
            record.config = replace(record.config, max_epochs=min(done, planned))
            record.status, record.error = "finished", None
        return record.status == "finished"


def refuse_lost_checkpoints(run_dir: Path) -> None:
    """Refuse to begin a run again that had checkpoints: it has a model, and they are gone.

    Raises
    ------
    CheckpointError
        It is so.
    """
    if (run_dir / MODEL).is_file():
        raise CheckpointError(
            f"The checkpoints of this run are gone from {run_dir / 'checkpoints'}, so it cannot go on. Its model is "
            "still there: a new run can start from it."
        )


def parts_missing_text(run_dir: Path) -> str:
    """Return why the model of a run that `mark_finished` has marked may lack parts; empty where nothing is missing.

    Raises
    ------
    RunFolderError
        The folder is no run.
    """
    missing = missing_sounds(RunRecord.load(run_dir))
    if not missing:
        return ""
    return (
        f"{missing[0].name} is not where it was. The model has no map, sliders and detail, which are computed from the "
        "sounds. Resume the run with its sounds to get them."
    )


def mark_failed(run_dir: Path, reason: str) -> None:
    """Write why a run ended to its record, where the process that trained in it can do so no more."""
    try:
        with _changing(run_dir) as record:
            if record.status == "running":
                record.status, record.error = "failed", reason
    except DistillError as exc:  # another process is alive after all, or the disk is gone with it
        log.warning("The record of the run in %s was not changed: %s", run_dir, exc)
