"""The end of a run: the same steps whatever ended it, each of which may fail without stopping the others."""

import hashlib
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from distill.errors import DistillError, TrainingError
from distill.events import TrainingCompleteEvent, TrainingNotice
from distill.library.model_library import ModelLibrary
from distill.models.detail import MOST_BYTES, bytes_per_chunk
from distill.models.metadata import ModelMetadata
from distill.models.persistence import save_model_from_checkpoint
from distill.models.sound_parts import SoundParts, build_detail
from distill.training.artifacts import append_history, report_write_errors, save_progress
from distill.training.checkpoint import get_best_checkpoint, list_checkpoints
from distill.training.prior_training import spread_by_file
from distill.training.run import EventSink, Run, RunRequest

log = logging.getLogger(__name__)


def end(
    run: Run | None, request: RunRequest, emit: EventSink, outcome: str, error: BaseException | None, seconds: float
) -> dict[str, Any]:
    """Write what is left to write, tell the one `TrainingCompleteEvent`, and return the run's result or raise.

    Raises
    ------
    BaseException
        ``error``, where there is one.
    """
    model_path = None
    if run is not None:
        try:
            model_path = _close(run, outcome, error)
        except Exception as exc:  # the border of a run: the first error is the one that is told
            log.exception("A run could not be ended properly")
            outcome, error = "failed", error or exc
        finally:
            run.writer.close()
            run.folder.close()
    event = _complete_event(run, outcome, error, seconds)
    try:
        emit(event)
    finally:
        if error is not None:
            raise error
    assert run is not None or outcome == "stopped"
    return _result(run, request, outcome, model_path)


def _close(run: Run, outcome: str, error: BaseException | None) -> Path | None:
    """Final checkpoint, model file, record."""
    trained = run.began
    run.writer.flush()
    report_write_errors(run)  # a checkpoint that could not be written is tried once more
    # After an error that is not the training's own, a step may be half done: the last checkpoint stands.
    sound = error is None or isinstance(error, TrainingError)
    if trained and sound and run.saved_at != (run.epoch, run.step):
        last = run.history.epochs[-1] if run.step == 0 and run.history.epochs else None
        save_progress(run, last, wait=True)
    append_history(run)
    model_path = _export(run) if trained else None
    if run.checkpoint is not None and not run.began:
        return model_path  # a resume that was refused leaves the run as it was
    # A run that was finished early counts the epochs that it made.
    run.record.config, run.record.status = run.config, outcome
    run.record.error = None if error is None else str(error) or type(error).__name__
    run.record.notes += run.emit.notes
    try:
        run.record.save(run.folder.path)
    except OSError as exc:
        log.warning("The record of the run in %s could not be written: %s", run.folder.path, exc)
        run.emit(
            TrainingNotice(
                "checkpoint", f"The record of the run could not be written ({exc.strerror or exc}).", "error"
            )
        )
    return model_path


def _export(run: Run) -> Path | None:
    """Write `model.distill` of the best checkpoint, or of the newest where none was validated, and to the library."""
    assert run.training_data is not None
    listed = list_checkpoints(run.folder.checkpoints)
    best = get_best_checkpoint(run.folder.checkpoints) or (Path(listed[-1]["path"]) if listed else None)
    if best is None:
        return None
    # The same for all sessions of a run: what it saves after a resume takes the place of what it saved before.
    identity = f"{run.record.created} {run.folder.path.name} {run.training_data.digest}"
    metadata = ModelMetadata(
        model_id=hashlib.blake2b(identity.encode(), digest_size=16).hexdigest(),
        name=run.record.model_name or run.record.dataset_name or "Untitled",
        dataset_name=run.record.dataset_name,
        dataset_file_count=len(run.training_data.sounds),
        dataset_total_duration_s=sum(s.duration_s for s in run.training_data.sounds),
        training_date=run.record.created,
    )
    target = run.folder.model_file
    try:
        path = save_model_from_checkpoint(best, metadata, target, lambda checkpoint: _detail(run, checkpoint))
        if run.request.models_dir is not None:
            ModelLibrary(run.request.models_dir).add(path)
        return path
    except (OSError, DistillError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        run.emit(
            TrainingNotice(
                "checkpoint",
                f"The model could not be saved ({reason}). Make room; resuming the run for more epochs saves it.",
                "error",
            )
        )
        return target if target.exists() else None


def _detail(run: Run, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the detail of the training sounds for the network of a checkpoint, as an entry of the model file."""
    assert run.training_data is not None
    dataset = run.training_data.train_set
    network = run.family.build().to(run.device)
    network.load_state_dict(checkpoint["model_state_dict"])
    layout = dataset.layout
    shape = dataset[0].shape
    most = max(1, MOST_BYTES // bytes_per_chunk(*shape))
    owner = torch.from_numpy(layout.owner[: layout.chunks * max(1, min(layout.variants, most // layout.chunks))])
    items = spread_by_file(owner, most)
    features = torch.cat(list(dataset.batches(items.tolist(), run.config.batch_size)))
    return SoundParts(detail=build_detail(run.family, network, features, owner[items], run.device)).to_file()


def _complete_event(
    run: Run | None, outcome: str, error: BaseException | None, seconds: float
) -> TrainingCompleteEvent:
    event = TrainingCompleteEvent(
        total_epochs=0,
        total_time_s=seconds,
        final_train_loss=None,
        final_val_loss=None,
        best_val_loss=None,
        best_epoch=None,
        outcome=outcome,  # type: ignore[arg-type]
        error=None if error is None else str(error) or type(error).__name__,
    )
    if run is None or not run.history.epochs:
        return event
    epochs = run.history.epochs
    best = run.history.get_best_epoch()
    return replace(
        event,
        total_epochs=len(epochs),
        final_train_loss=epochs[-1].train_loss,
        final_val_loss=epochs[-1].val_loss,
        best_epoch=best,
        best_val_loss=next((e.val_loss for e in epochs if e.epoch == best), None),
    )


def _result(run: Run | None, request: RunRequest, outcome: str, model_path: Path | None) -> dict[str, Any]:
    folder = request.output_dir
    model = None if run is None or run.model is None else run.model.eval()
    best = None
    with suppress(OSError):
        best = get_best_checkpoint(folder / "checkpoints")
    return {
        "model": model,
        "metrics_history": None if run is None else run.history,
        "output_dir": folder,
        "best_checkpoint_path": best,
        "model_path": model_path,
        "outcome": outcome,
    }
