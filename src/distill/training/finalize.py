"""Ends a run: the same steps whatever ended it, each of which may fail without stopping the others."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from distill.errors import CheckpointError, DistillError, TrainingError
from distill.events import EpochMetrics, TrainingCompleteEvent, TrainingNotice, VQEpochMetrics
from distill.library.model_library import ModelLibrary
from distill.models.detail import MOST_BYTES, bytes_per_chunk
from distill.models.metadata import ModelMetadata
from distill.models.nearest import SoundIndex
from distill.models.persistence import save_model_from_checkpoint
from distill.models.sound_parts import SoundParts, build_detail
from distill.training.artifacts import append_history, make_previews, report_write_errors, save_progress, write_best
from distill.training.checkpoint import get_best_checkpoint, list_checkpoints
from distill.training.run import EventSink, OpenedRun, Run, RunRequest, with_epochs
from distill.training.sound_map import map_entries
from distill.training.steps.prior_training import spread_by_file

log = logging.getLogger(__name__)

AnyEpoch = EpochMetrics | VQEpochMetrics


# --- finishing early ----------------------------------------------------------------------------------------------


def end_epoch_early(run: Run, measure: Callable[[Run], AnyEpoch | None]) -> AnyEpoch | None:
    """Make the epoch in progress the last one of the run, and measure it; None if the user paused meanwhile.

    A run that is paused here continues later as if it had never been asked to finish.  The learning rate's schedule
    skips the steps that are left of the epoch: if the run is extended, it continues with a whole epoch.
    """
    planned = run.config
    run.config = with_epochs(planned, run.epoch + 1)
    event = measure(run)
    if event is None:
        run.config = planned
        return None
    for _ in range(run.training_data.steps_per_epoch - run.step):
        run.scheduler.step()
    _emit_finished_early(run, planned.max_epochs)
    return event


def end_after_last_epoch(run: Run) -> bool:
    """End the run with the epoch that was completed last; False if there is none."""
    if not run.history.epochs:
        return False
    planned = run.config.max_epochs
    run.config = with_epochs(run.config, run.epoch)
    if not any(run.folder.previews.glob(f"*_epoch{run.epoch - 1:04d}_*.wav")):
        make_previews(run, run.epoch - 1)
    _emit_finished_early(run, planned)
    return True


def _emit_finished_early(run: Run, planned_epochs: int) -> None:
    done = run.config.max_epochs
    if done < planned_epochs:
        run.record.planned_epochs = planned_epochs
    run.emit(TrainingNotice("finished", f"Finished early: {done} of {planned_epochs} epochs are made.", "info"))


# --- the end of every run -----------------------------------------------------------------------------------------


def end(
    opened: OpenedRun | None,
    run: Run | None,
    request: RunRequest,
    emit: EventSink,
    outcome: str,
    error: BaseException | None,
    seconds: float,
) -> dict[str, Any]:
    """Write what is left to write, emit the one `TrainingCompleteEvent`, and return the run's result or raise.

    Parameters
    ----------
    opened
        The run, or None if its folder could not be claimed.
    run
        The same run, or None if it could not be prepared.
    request, emit
        Its request and its events.
    outcome, error
        How it ended.
    seconds
        Duration of this session.

    Raises
    ------
    BaseException
        ``error``, if there is one.
    """
    model_path = None
    try:
        if run is not None:
            model_path = _close(run, outcome, error)
        elif opened is not None:
            _close_unprepared(opened, outcome, error)
    except Exception as exc:  # the first error is the one that is reported
        log.exception("A run could not be ended properly")
        outcome, error = "failed", error or exc
    finally:
        if run is not None:
            run.writer.close()
        if opened is not None:
            opened.folder.close()
    if error is not None:
        log.error("The run in %s failed: %s", request.output_dir, error, exc_info=error)
    event = _complete_event(run, outcome, error, seconds)
    try:
        emit(event)
    finally:
        if error is not None:
            raise error
    return _result(run, request, outcome, model_path)


def _close_unprepared(opened: OpenedRun, outcome: str, error: BaseException | None) -> None:
    """Record how a run ended that has not taken a step; a resume that was refused or stopped changes nothing."""
    path = opened.request.resume_checkpoint
    if outcome == "stopped":
        message = (
            f"Stopped before the training continued: the run stays at {path.name}."
            if path is not None
            else "Stopped while the run was prepared: there is no checkpoint yet. Resuming the run starts it again; "
            "what was computed from the sounds is kept."
        )
        opened.emit(TrainingNotice("stopped", message, "info"))
    if opened.checkpoint is None:
        _save_record(opened, outcome, error)


def _close(run: Run, outcome: str, error: BaseException | None) -> Path | None:
    """Write the final checkpoint, the model file and the record."""
    write_best(run)
    run.writer.flush()
    report_write_errors(run)  # a checkpoint that could not be written is tried once more
    # After an error that is not the training's own, a step may be half done: the last checkpoint stands.
    consistent = error is None or isinstance(error, TrainingError)
    if consistent and run.saved_at != (run.epoch, run.step):
        last = run.history.epochs[-1] if run.step == 0 and run.history.epochs else None
        save_progress(run, last, wait=True)
    append_history(run)
    model_path = _export(run, is_finished=outcome == "finished")
    _save_record(run, outcome, error)
    return model_path


def _save_record(opened: OpenedRun, outcome: str, error: BaseException | None) -> None:
    """Write how the run ended to its record; one that was finished early counts the epochs that it has done."""
    record = opened.record
    record.config, record.status = opened.config, outcome
    record.error = None if error is None else str(error) or type(error).__name__
    record.notes += opened.emit.notes
    try:
        record.save(opened.folder.path)
    except OSError as exc:
        log.warning("The record of the run in %s could not be written: %s", opened.folder.path, exc)
        opened.emit(
            TrainingNotice(
                "checkpoint", f"The record of the run could not be written ({exc.strerror or exc}).", "error"
            )
        )


def _export(run: Run, is_finished: bool) -> Path | None:
    """Write `model.distill` of the best checkpoint, or of the newest if none was validated, and to the library.

    Detail, map and sliders take seconds to minutes to compute, and only the model of a finished run has them: a run
    that is stopped ends at once.
    """
    candidates = _by_validation_loss(run.folder.checkpoints)
    if not candidates:
        return None
    # The same in all sessions of a run: what it saves after a resume replaces what it saved before.
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
        parts = partial(_parts, run) if is_finished else None
        path = _save_first_readable(candidates, metadata, target, parts)
        if run.request.models_dir is not None:
            ModelLibrary(run.request.models_dir).add(path)
        return path
    except (OSError, DistillError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        run.emit(
            TrainingNotice(
                "checkpoint",
                f"The model could not be saved ({reason}). Make room, then resume the run: it saves the model.",
                "error",
            )
        )
        return target if target.exists() else None


def _by_validation_loss(folder: Path) -> list[Path]:
    """Return the checkpoints from the best to the worst, then those that were not validated, the newest first."""
    listed = list_checkpoints(folder)
    measured = sorted((c for c in listed if c["val_loss"] is not None), key=lambda c: (c["val_loss"], c["epoch"]))
    return [Path(c["path"]) for c in (*measured, *(c for c in reversed(listed) if c["val_loss"] is None))]


def _save_first_readable(
    checkpoints: list[Path],
    metadata: ModelMetadata,
    target: Path,
    parts: Callable[[Mapping[str, Any]], dict[str, Any]] | None,
) -> Path:
    """Write the model file of the first checkpoint that can be read.

    Raises
    ------
    CheckpointError
        None can be read.
    OSError
        The file cannot be written.
    """
    for number, path in enumerate(checkpoints, 1):
        try:
            return save_model_from_checkpoint(path, metadata, target, parts)
        except CheckpointError as exc:
            if number == len(checkpoints):
                raise
            log.warning("The model is not made from the best checkpoint: %s", exc)
    raise CheckpointError("There is no checkpoint to make the model from.")


def _parts(run: Run, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return further entries of the model file, for the network of a checkpoint: detail, index, map and sliders.

    What cannot be computed is reported and missing: a model without it is better than none.
    """
    try:
        network = _network(run, checkpoint)
        features, owner, is_variant = _training_features(run)
    except Exception as exc:  # whatever is wrong with an extra part, the model is saved
        _report_missing(run, "detail and map", exc)
        return {}
    detail = index = None
    try:
        detail = build_detail(run.family, network, features, owner, run.device)
    except Exception as exc:
        _report_missing(run, "detail", exc)
    try:
        index = SoundIndex.build(features[~is_variant], owner[~is_variant])
    except Exception as exc:
        _report_missing(run, "the search for the nearest sound", exc)
    return SoundParts(detail=detail, index=index).to_file() | map_entries(run.family, network, run.training_data)


def _network(run: Run, checkpoint: Mapping[str, Any]) -> nn.Module:
    """Return the network of a checkpoint, in eval mode."""
    with torch.random.fork_rng(devices=[]):  # the weights that the checkpoint replaces are drawn
        network = run.family.build()
    network.load_state_dict(checkpoint["model_state_dict"])
    return network.to(run.device).eval()


def _training_features(run: Run) -> tuple[Tensor, Tensor, Tensor]:
    """Return training chunks ``[N, C, F, T]``, the number of the file of each, and whether each is of a variant."""
    dataset = run.training_data.train_set
    layout = dataset.layout
    most = max(1, MOST_BYTES // bytes_per_chunk(*dataset[0].shape))
    owner = torch.from_numpy(layout.owner[: layout.chunks * max(1, min(layout.variants, most // layout.chunks))])
    items = spread_by_file(owner, most)
    features = torch.cat(list(dataset.batches(items.tolist(), run.config.batch_size)))
    return features, owner[items], items >= layout.chunks


def _report_missing(run: Run, part: str, error: Exception) -> None:
    """Log why a part of the model file could not be computed, and tell the user."""
    log.error("A part of the model file could not be computed: %s", part, exc_info=error)
    reason = str(error) or type(error).__name__
    run.emit(
        TrainingNotice(
            "checkpoint",
            f"The model is saved without {part} ({reason}). Continue the run for one more epoch to compute it again.",
        )
    )


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
