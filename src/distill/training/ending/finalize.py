"""Ends a run: the same steps whatever ended it, each of which may fail without stopping the others.

A run ends early where the user finishes it, or where it no longer improves.  A model that cannot be written is kept in
memory, to be written elsewhere.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill.computing.interruptible import Interruptible
from distill.errors import Cancelled, DistillError, PeerError, TrainingError, reason_of
from distill.events import UNSAVED, EpochMetrics, TrainingCompleteEvent, TrainingNotice, VQEpochMetrics
from distill.library.model_library import ModelLibrary
from distill.models.metadata import ModelMetadata
from distill.models.persistence import write_model_file
from distill.runs.estimates.estimate import closing_steps
from distill.runs.estimates.measured_costs import RunFacts, figures_of, good_share, remember
from distill.runs.verdict import judge
from distill.training.checkpoint import get_best_checkpoint
from distill.training.compute_plan import computing
from distill.training.ending.model_contents import contents_of_best, further_parts, history_of
from distill.training.run import EventSink, OpenedRun, Run, RunRequest, with_epochs
from distill.training.run_previews import preview_last_epoch
from distill.training.save_progress import (
    append_history,
    last_checkpoint_text,
    report_unwritten_checkpoint,
    save_progress,
    take_write_errors,
    write_best,
)

log = logging.getLogger(__name__)

AnyEpoch = EpochMetrics | VQEpochMetrics


@dataclass(frozen=True)
class UnsavedModel:
    """What a model file holds, without the file."""

    contents: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the model."""
        return str(self.contents["metadata"]["name"])

    def save(self, target: Path) -> Path:
        """Write the model file, whole or not at all, and return its path.

        Parameters
        ----------
        target
            A file that ends in ``.distill``, or the folder of a library.

        Raises
        ------
        ModelFileError
            Network and settings do not fit each other; nothing was written.
        OSError
            It cannot be written.
        """
        return write_model_file(target, self.contents)


@dataclass
class _Saved:
    """What the end of a run has written: the model file, or else the model and why it is not written.

    Attributes
    ----------
    is_complete
        False if the user stopped the run while further parts of the file were computed.
    """

    path: Path | None = None
    unsaved: UnsavedModel | None = None
    reason: str = ""
    is_complete: bool = True


def end(
    opened: OpenedRun | None,
    run: Run | None,
    request: RunRequest,
    emit: EventSink,
    outcome: str,
    error: BaseException | None,
    started: float,
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
    started
        When this session began, by `time.perf_counter`.

    Raises
    ------
    BaseException
        ``error``, if there is one.
    """
    saved, unsaved_text = _Saved(), None
    try:
        if run is not None:
            with computing(run.device, run.plan.num_threads):  # the prior is trained to its end in there
                saved, outcome, unsaved_text = _close(run, outcome, error)
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
    event = _complete_event(
        run, outcome, unsaved_text if error is None else reason_of(error), time.perf_counter() - started
    )
    try:
        emit(event)
    finally:
        if error is not None:
            raise error
    return _result(run, request, outcome, saved) | {"error": unsaved_text}


def _close_unprepared(opened: OpenedRun, outcome: str, error: BaseException | None) -> None:
    """Record how a run ended that has not taken a step; a resume that was refused or stopped changes nothing."""
    if opened.leaves_nothing(error):
        return
    path = opened.request.resume_checkpoint
    if outcome == "stopped":
        message = (
            f"Stopped before the training continued: the run stays at {path.name}."
            if path is not None
            else "Stopped while the run was prepared: there is no checkpoint yet. Resuming the run starts it again; "
            "what was computed from the sounds is kept."
        )
        no_answer = opened.no_answer or opened.request.no_answer
        message = f"{no_answer} {message}".lstrip()
        opened.emit(TrainingNotice("stopped", message, "warning" if no_answer else "info"))
    if opened.checkpoint is None:
        _save_record(opened, outcome, None if error is None else reason_of(error))


def _close(run: Run, outcome: str, error: BaseException | None) -> tuple[_Saved, str, str | None]:
    """Write the final checkpoint, the model file and the record.

    The model of weights that could not be written as a checkpoint is made from memory: it is a third as large.

    Returns
    -------
    tuple
        What was saved, how the run ended, and why its model was not saved.  A run that is stopped here ends as stopped,
        with all its epochs; resuming it completes the model file.
    """
    began = time.perf_counter()
    if isinstance(error, PeerError):  # torchrun may kill this process before it has written the rest
        _save_record(run, outcome, reason_of(error))
    write_best(run)
    take_write_errors(run)  # a checkpoint that could not be written is tried once more
    # After an error that is not the training's own, a step may be half done: the last checkpoint stands.
    consistent = error is None or isinstance(error, TrainingError)
    newest, reason = None, ""
    if consistent and run.saved_at != (run.epoch, run.step):
        last = run.history.epochs[-1] if run.step == 0 and run.history.epochs else None
        newest = save_progress(run, last)
        reason = take_write_errors(run)
    unwritten = newest if reason else None
    append_history(run)
    saved = _export(run, outcome == "finished", newest, is_written=not reason)
    text = None if error is None else reason_of(error)
    if saved.path is None and (outcome == "finished" or unwritten is not None) and error is None:
        outcome, text = UNSAVED, unsaved_model_text(run, saved.reason or reason, unwritten is not None)
    elif reason:
        report_unwritten_checkpoint(run, reason)
    elif saved.reason:
        run.emit(TrainingNotice("checkpoint", f"{saved.reason} Resume the run to save it.", "error"))
    if outcome == "finished" and not saved.is_complete:
        outcome = "stopped"
        message = "Stopped before the model file was complete: all epochs are done, and resuming the run completes it."
        run.emit(TrainingNotice("stopped", message, "info"))
    _save_record(run, outcome, text)
    if outcome in ("finished", "stopped"):
        run.stopwatch.add("closing", time.perf_counter() - began)
        _remember_figures(run, outcome == "finished")
    return saved, outcome, text if outcome == UNSAVED else None


def _remember_figures(run: Run, is_finished: bool) -> None:
    """Keep what the run took, for the estimates of the next ones."""
    if run.ranks.size > 1:  # what several processes take says nothing of a run of one
        return
    data = run.training_data
    layout = data.train_set.layout
    planned = run.prior.closing_steps * run.history.step_count
    facts = RunFacts(
        chunks=layout.chunks,
        seconds=sum(sound.duration_s for sound in layout.sounds),
        variants=layout.variants,
        sounds=len(layout.sounds),
        closing_steps=closing_steps(planned, len(layout.sounds)),
        good_share=good_share(judge(run.history.epochs, run.warm_up), run.record.epochs_asked),
    )
    try:
        figures = figures_of(run.stopwatch, run.folder, facts)
    except OSError as exc:
        log.info("What the run took cannot be kept: %s", exc)
        return
    if figures is not None:
        remember(run.config, figures if is_finished else replace(figures, closing_s=0.0, good_share=0.0))


def record_failure(opened: OpenedRun, reason: str) -> None:
    """Write why a run ended to its record, let go of its folder, and nothing else: its process is ended next."""
    _save_record(opened, "failed", reason)
    opened.folder.close()


def _save_record(opened: OpenedRun, outcome: str, error: str | None) -> None:
    """Write how the run ended to its record; one that was finished early counts the epochs that it has done."""
    record = opened.record
    record.config, record.status = opened.config, outcome
    record.error = error
    record.notes += opened.emit.notes
    opened.emit.notes = []
    try:
        record.save(opened.folder.path)
    except OSError as exc:
        log.warning("The record of the run in %s could not be written: %s", opened.folder.path, exc)
        opened.emit(
            TrainingNotice(
                "checkpoint", f"The record of the run could not be written ({exc.strerror or exc}).", "error"
            )
        )


def _export(run: Run, is_finished: bool, newest: dict[str, Any] | None, is_written: bool) -> _Saved:
    """Write `model.distill` of the best checkpoint, or of the newest if none was validated, and to the library.

    Detail, map and sliders take seconds to minutes to compute, and only the model of a finished run has them: a run
    that is stopped ends at once.

    Parameters
    ----------
    run
        The run.
    is_finished
        Whether it has all its epochs.
    newest
        The final checkpoint, or None if the last one on disk is that.
    is_written
        Whether the final checkpoint is on disk.
    """
    # The same in all sessions of a run: what it saves after a resume replaces what it saved before.
    identity = f"{run.record.created} {run.folder.path.name} {run.training_data.digest}{run.record.token}"
    metadata = ModelMetadata(
        model_id=hashlib.blake2b(identity.encode(errors="backslashreplace"), digest_size=16).hexdigest(),
        name=run.record.model_name or run.record.dataset_name or "Untitled",
        dataset_name=run.record.dataset_name,
        dataset_file_count=len(run.training_data.sounds),
        dataset_total_duration_s=sum(s.duration_s for s in run.training_data.sounds),
        training_date=run.record.created,
    )
    saved = _Saved()

    def parts(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
        try:
            with Interruptible(run.request.check_paused):
                return further_parts(run, checkpoint)
        except Cancelled:
            saved.is_complete = False
            return {}

    try:
        contents = contents_of_best(run, newest, is_written, metadata, parts if is_finished else None)
        if contents is None:
            return saved
        contents |= history_of(run)
        saved.unsaved = UnsavedModel(contents)
        saved.path = saved.unsaved.save(run.folder.model_file)
        saved.unsaved = None
    except (OSError, DistillError) as exc:
        saved.reason = f"The model could not be saved ({reason_of(exc)})."
        return saved
    _add_to_library(run, saved.path)
    return saved


def _add_to_library(run: Run, path: Path) -> None:
    """Copy a model file into the library of the run's request, and tell where it is if that fails."""
    if run.request.models_dir is None:
        return
    try:
        ModelLibrary(run.request.models_dir).add(path)
    except (OSError, DistillError) as exc:
        run.emit(
            TrainingNotice(
                "checkpoint",
                f"The model is saved as {path}, but could not be copied into the library ({reason_of(exc)}). Make room "
                "there, or make it writable, then import it.",
                "error",
            )
        )


def _complete_event(run: Run | None, outcome: str, error: str | None, seconds: float) -> TrainingCompleteEvent:
    event = TrainingCompleteEvent(
        total_epochs=0,
        total_time_s=seconds,
        final_train_loss=None,
        final_val_loss=None,
        best_val_loss=None,
        best_epoch=None,
        outcome=outcome,  # type: ignore[arg-type]
        error=error,
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


def _result(run: Run | None, request: RunRequest, outcome: str, saved: _Saved) -> dict[str, Any]:
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
        "model_path": saved.path,
        "outcome": outcome,
        "unsaved_model": saved.unsaved if outcome == UNSAVED else None,
    }


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
    preview_last_epoch(run)
    _emit_finished_early(run, planned)
    return True


def end_without_improvement(run: Run) -> bool:
    """End a run that has not improved for a while as finished, with the epoch that was completed last."""
    planned = run.config.max_epochs
    run.config = with_epochs(run.config, run.epoch)
    run.record.planned_epochs = planned
    preview_last_epoch(run)
    verdict = judge(run.history.epochs, run.warm_up)
    assert verdict.since is not None
    assert verdict.best is not None
    run.emit(
        TrainingNotice(
            "finished",
            f"Finished after {run.epoch} of {planned} epochs: the loss on held-out sounds has not improved since epoch "
            f"{verdict.since + 1}. The model is that of epoch {verdict.best + 1}, the best one.",
            "info",
        )
    )
    return True


def _emit_finished_early(run: Run, planned_epochs: int) -> None:
    done = run.config.max_epochs
    if done < planned_epochs:
        run.record.planned_epochs = planned_epochs
    run.emit(TrainingNotice("finished", f"Finishing early, after epoch {done} of {planned_epochs}.", "info"))


def unsaved_model_text(run: Run, reason: str, is_checkpoint_missing: bool) -> str:
    """Return the sentences about a run whose model could not be saved."""
    text = f"{reason} Make room on the disk of {run.folder.path}, or make it writable"
    if not is_checkpoint_missing:
        return f"{text}, then resume the run: it saves the model."
    return f"{text}. {last_checkpoint_text(run)}"
