"""Ends a run: the same steps whatever ended it, each of which may fail without stopping the others."""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from distill.audio.cache.sound_cache import CachedSound
from distill.computing.interruptible import Interruptible
from distill.errors import Cancelled, CheckpointError, DistillError, PeerError, TrainingError, reason_of
from distill.events import UNSAVED, EpochMetrics, TrainingCompleteEvent, TrainingNotice, VQEpochMetrics
from distill.library.model_library import ModelLibrary
from distill.models.detail_by_example import MOST_BYTES, bytes_per_chunk
from distill.models.generation_parts import PRIOR, SoundParts, build_detail, prior_entry
from distill.models.metadata import ModelMetadata
from distill.models.nearest import SoundIndex
from distill.models.persistence import contents_of_checkpoint
from distill.models.stereo.image_store import ImageStore
from distill.runs.estimate import closing_steps
from distill.runs.measured_costs import remember
from distill.runs.verdict import judge
from distill.training.checkpoint import checkpoint_path, get_best_checkpoint, list_checkpoints, read_checkpoint
from distill.training.compute_plan import computing
from distill.training.data.known_split import split_of_chain
from distill.training.data.stereo import build_images
from distill.training.latent_analysis import map_entries
from distill.training.run import EventSink, OpenedRun, Run, RunRequest, with_epochs
from distill.training.saving import (
    append_history,
    make_previews,
    save_progress,
    take_write_errors,
    write_best,
)
from distill.training.steps.closing import Closing
from distill.training.steps.prior_training import spread_by_file
from distill.training.steps.stopwatch import RunFacts, figures_of, good_share
from distill.training.unsaved_model import UnsavedModel

log = logging.getLogger(__name__)

T = TypeVar("T")
AnyEpoch = EpochMetrics | VQEpochMetrics

#: Most files of which the search for the nearest sound has a chunk where the detail does not have one of each.
_MOST_INDEXED = 4000


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
    _preview_last_epoch(run)
    _emit_finished_early(run, planned)
    return True


def end_without_improvement(run: Run) -> bool:
    """End a run that has not improved for a while as finished, with the epoch that was completed last."""
    planned = run.config.max_epochs
    run.config = with_epochs(run.config, run.epoch)
    run.record.planned_epochs = planned
    _preview_last_epoch(run)
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


def _preview_last_epoch(run: Run) -> None:
    """Make the previews of the epoch that was completed last, unless they are there."""
    if not any(run.folder.previews.glob(f"*_epoch{run.epoch - 1:04d}_*.wav")):
        make_previews(run, run.epoch - 1)


def _emit_finished_early(run: Run, planned_epochs: int) -> None:
    done = run.config.max_epochs
    if done < planned_epochs:
        run.record.planned_epochs = planned_epochs
    run.emit(TrainingNotice("finished", f"Finishing early, after epoch {done} of {planned_epochs}.", "info"))


# --- the end of every run -----------------------------------------------------------------------------------------


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
        outcome, text = UNSAVED, _unsaved_text(run, saved.reason or reason, unwritten is not None)
    elif reason:
        run.emit(TrainingNotice("checkpoint", _unwritten_text(run, reason), "error"))
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


def _unsaved_text(run: Run, reason: str, is_checkpoint_missing: bool) -> str:
    """Return the sentences about a run whose model could not be saved."""
    text = f"{reason} Make room on the disk of {run.folder.path}, or make it writable"
    if not is_checkpoint_missing:
        return f"{text}, then resume the run: it saves the model."
    return f"{text}. {_where_it_stays(run)}"


def _unwritten_text(run: Run, reason: str) -> str:
    return f"The last checkpoint could not be written ({reason}). {_where_it_stays(run)}"


def _where_it_stays(run: Run) -> str:
    """Return where a run is resumed whose last checkpoint could not be written."""
    listed = list_checkpoints(run.folder.checkpoints)
    if not listed:
        return "There is no checkpoint, so the run can only begin again."
    return f"The run can only be resumed from epoch {listed[-1]['epoch'] + 1}."  # counted from 1 for people


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
                return _parts(run, checkpoint)
        except Cancelled:
            saved.is_complete = False
            return {}

    try:
        contents = _contents_of_best(run, newest, is_written, metadata, parts if is_finished else None)
        if contents is None:
            return saved
        contents |= _history_of(run)
        saved.unsaved = UnsavedModel(contents)
        saved.path = saved.unsaved.save(run.folder.model_file)
        saved.unsaved = None
    except (OSError, DistillError) as exc:
        saved.reason = f"The model could not be saved ({reason_of(exc)})."
        return saved
    _add_to_library(run, saved.path)
    return saved


def _history_of(run: Run) -> dict[str, Any]:
    """Return what the model file says of where the model comes from: its split, and what its run started from."""
    split = split_of_chain(run.record)
    entries = {} if split is None else {"split": split.to_dict()}
    if run.record.origin is not None:
        entries["origin"] = {key: run.record.origin.get(key) for key in ("kind", "name", "model_id", "epoch")}
    return entries


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


def by_validation_loss(folder: Path) -> list[Path]:
    """Return the checkpoints from the best to the worst, then those that were not validated, the newest first."""
    listed = list_checkpoints(folder)
    measured = sorted((c for c in listed if c["val_loss"] is not None), key=lambda c: (c["val_loss"], c["epoch"]))
    return [Path(c["path"]) for c in (*measured, *(c for c in reversed(listed) if c["val_loss"] is None))]


def _contents_of_best(
    run: Run,
    newest: dict[str, Any] | None,
    is_written: bool,
    metadata: ModelMetadata,
    parts: Callable[[Mapping[str, Any]], dict[str, Any]] | None,
) -> dict[str, Any] | None:
    """Return what the model file of the best checkpoint that can be read holds; None if there is no checkpoint.

    Parameters are those of `_export`.  What this session still has in memory is not read again.

    Raises
    ------
    CheckpointError
        There are checkpoints, and none can be read.
    """
    folder, error = run.folder.checkpoints, None
    in_memory = {} if run.best.checkpoint is None else {checkpoint_path(folder, run.best.epoch): run.best.checkpoint}
    if newest is not None:
        in_memory[checkpoint_path(folder, newest["epoch"])] = newest
    for path in by_validation_loss(folder):
        try:
            data = in_memory[path] if path in in_memory else read_checkpoint(path)
            if newest is not None and not is_written and _is_better(newest["val_loss"], data["val_loss"]):
                break
            return contents_of_checkpoint(data, path.name, metadata, parts)
        except CheckpointError as exc:
            error = exc
            log.warning("The model is not made from the best checkpoint: %s", exc)
    if newest is not None and not is_written:
        return contents_of_checkpoint(newest, "The last checkpoint", metadata, parts)
    if error is not None:
        raise error
    return None


def _is_better(one: float | None, other: float | None) -> bool:
    """Whether a held-out loss is lower than another; one that was not measured is the worst, and the newer one wins."""
    return other is None or (one is not None and one <= other)


def _parts(run: Run, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return further entries of the model file, for the network of a checkpoint.

    They are prior, detail, index, stereo images, map and sliders.

    What cannot be computed is reported and missing: a model without it is better than none.

    Raises
    ------
    Cancelled
        The user stopped the run.
    """
    material = _part(run, "detail and map", lambda: (_network(run, checkpoint), *_training_features(run)))
    if material is None:
        return {}
    network, features, owner, is_variant = material
    own = ~is_variant
    closed = _part(run, "the last steps of its prior", lambda: _close_prior(run, checkpoint, network))
    entries = {} if closed is None else {PRIOR: prior_entry(closed)}
    parts = SoundParts(
        detail=_part(run, "detail", lambda: build_detail(run.family, network, features, owner, run.device)),
        index=_part(run, "the search for the nearest sound", lambda: _index(run, features[own], owner[own])),
        stereo=_part(run, "its stereo image", lambda: _stereo(run)),
    )
    described = _part(run, "its map and sliders", lambda: map_entries(run.family, network, run.training_data))
    return entries | parts.to_file() | (described or {})


def _part(run: Run, name: str, compute: Callable[[], T]) -> T | None:
    """Return a part of the model file, or None where it cannot be computed, which is reported.

    Raises
    ------
    Cancelled
        The user stopped the run.
    """
    try:
        return compute()
    except Cancelled:
        raise
    except Exception as exc:  # whatever is wrong with an extra part, the model is saved
        log.error("A part of the model file could not be computed: %s", name, exc_info=exc)
        reason = reason_of(exc)
        run.emit(
            TrainingNotice(
                "checkpoint",
                f"The model is saved without {name} ({reason}). Continue the run for one more epoch to compute it "
                "again.",
            )
        )
        return None


def _stereo(run: Run) -> ImageStore | None:
    """Return the stereo images of the training sounds, or None for a mono corpus."""
    data = run.training_data

    def is_one_channel(sound: CachedSound) -> bool:
        fix = data.fixes.get(sound.content_hash)
        return fix is not None and fix.channel is not None

    sounds = data.train_set.layout.sounds
    return build_images(sounds, is_one_channel, run.emit.progress, run.request.pause_event)


def _network(run: Run, checkpoint: Mapping[str, Any]) -> nn.Module:
    """Return the network of a checkpoint, in eval mode."""
    with torch.random.fork_rng(devices=[]):  # the weights that the checkpoint replaces are drawn
        network = run.family.build()
    network.load_state_dict(checkpoint["model_state_dict"])
    return network.to(run.device).eval()


def _close_prior(run: Run, checkpoint: Mapping[str, Any], network: nn.Module) -> Mapping[str, Tensor] | None:
    """Return the prior after its last phase, or None where there is no phase."""

    def autocast() -> AbstractContextManager[Any]:
        return run.plan.autocast(run.device)

    close = Closing(run.prior, run.family, run.training_data.train_set, run.device, autocast, run.emit.progress)
    return close(checkpoint, network)


def _training_features(run: Run) -> tuple[Tensor, Tensor, Tensor]:
    """Return training chunks ``[N, C, F, T]``, the number of the file of each, and whether each is of a variant."""
    dataset = run.training_data.train_set
    layout = dataset.layout
    most = max(1, MOST_BYTES // bytes_per_chunk(*dataset[0].shape))
    owner = torch.from_numpy(layout.owner[: layout.chunks * max(1, min(layout.variants, most // layout.chunks))])
    items = spread_by_file(owner, most)
    features = torch.cat(list(dataset.batches(items.tolist(), run.config.batch_size)))
    return features, owner[items], items >= layout.chunks


def _index(run: Run, features: Tensor, owner: Tensor) -> SoundIndex:
    """Return what the nearest sound is searched in: these chunks, or one of each file if they are not of all files."""
    dataset = run.training_data.train_set
    owners = torch.from_numpy(dataset.layout.owner[: dataset.layout.chunks])
    files = len(torch.unique(owners))
    if len(torch.unique(owner)) < files:
        items = spread_by_file(owners, min(files, _MOST_INDEXED))
        features = torch.cat(list(dataset.batches(items.tolist(), run.config.batch_size)))
        owner = owners[items]
    return SoundIndex.build(features, owner)


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
