"""The training loop: one for all families.

It blocks, starts no thread but the one that writes files, prints nothing and names no family.  Its one output is
``callback(event)``.  Preparing, training and ending a run are separate; the end is the same whatever ended the run.
"""

import logging
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distill.audio.decoding.sound_fix import SoundFix
from distill.computing.devices import pick_known_device
from distill.computing.interruptible import Interruptible
from distill.config.training import AnyConfig, VQVAEConfig
from distill.distributed.ranks import Ranks, current_ranks
from distill.distributed.shared_batch import BatchSlice
from distill.errors import Cancelled, ConfigurationError, MemoryShortError, PeerError, is_memory_error
from distill.events import EpochMetrics, MetricsCallback, StepMetrics, TrainingNotice, VQEpochMetrics, VQStepMetrics
from distill.models.families.family import EpochResult, Objective
from distill.runs.checkpoint_folder import newest_whole
from distill.runs.record_changes import mark_failed
from distill.runs.run_record import RunRecord
from distill.runs.verdict import Kind, is_at_its_end, judge, overfitting_warning
from distill.training.beginning.open_run import open_run
from distill.training.beginning.prepare import prepare
from distill.training.compute_plan import computing
from distill.training.data.argument_checks import absolute_paths, own_config
from distill.training.data.moved_sounds import locate_unless_stopped
from distill.training.ending import finalize
from distill.training.run import EventSink, OpenedRun, Run, RunRequest, with_epochs
from distill.training.run_previews import complete_previews, is_preview_epoch, make_previews, make_start_previews
from distill.training.save_progress import (
    append_history,
    is_history_due,
    is_save_due,
    report_write_errors,
    save_epoch,
    save_progress,
)
from distill.training.standalone_epochs import train_epoch, train_vqvae_epoch, validate_epoch, validate_vqvae_epoch
from distill.training.steps.epoch import PriorStep, ValidationResult, train_steps, validate
from distill.training.steps.loss_reader import LossReader
from distill.training.steps.new_sound_distance import is_due
from distill.training.steps.prior_training import WARMUP_STEPS
from distill.training.steps.training_step import TrainingStep
from distill.training.stop_request import AgreedStop, pause_event_of

__all__ = [
    "resume_run",
    "train",
    "train_epoch",
    "train_vqvae",
    "train_vqvae_epoch",
    "validate_epoch",
    "validate_vqvae_epoch",
]

log = logging.getLogger(__name__)


def train(
    config: AnyConfig,
    file_paths: Sequence[Path | str],
    output_dir: Path | str,
    device: str = "auto",
    callback: MetricsCallback | None = None,
    cancel_event: threading.Event | None = None,
    resume_checkpoint: Path | str | None = None,
    models_dir: Path | str | None = None,
    dataset_name: str = "",
    model_name: str = "",
    fixes: Mapping[Path, SoundFix] | None = None,
    start_from: Path | str | None = None,
) -> dict[str, Any]:
    """Train a model on sounds; return when the run has ended.

    Parameters
    ----------
    config
        Settings; their type and fields choose the family.
    file_paths
        Sounds, in any order.
    output_dir
        Folder of the run, made new: ``run.json``, ``history.jsonl``, ``checkpoints/``, ``previews/``, the model.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    callback
        Takes each event, in the calling thread.
    cancel_event
        Stops the run within one step, with a checkpoint.  A `distill.training.stop_request.StopRequest` can also ask to
        finish: the run then ends as finished, with the epochs that it has made.
    resume_checkpoint
        Continues exactly where this checkpoint stands.
    models_dir
        Library that the finished model is also saved to.
    dataset_name, model_name
        For people; stored with the run and the model.
    fixes
        What is changed in some sounds when they are decoded, by their files; a resumed run has its own.
    start_from
        Model file, or checkpoint of another run, that a new run starts with; ``config`` must have its shape, see
        `distill.config.factory.config_from_model`.

    Returns
    -------
    dict
        ``model`` (the newest weights, in eval mode), ``metrics_history``, ``output_dir``, ``best_checkpoint_path``,
        ``model_path``, ``outcome`` (``"finished"``, ``"stopped"``, or ``"could not be saved"`` where there was no room
        for the model), ``unsaved_model`` (then a `distill.training.ending.finalize.UnsavedModel`, otherwise None),
        ``error`` (then the reason, otherwise None).

    Raises
    ------
    DistillError
        The run could not be started, resumed or finished; `TrainingCompleteEvent` has then been emitted as well.
    """
    ranks = current_ranks()
    return _train(
        RunRequest(
            config=own_config(config),
            file_paths=absolute_paths(file_paths),
            output_dir=Path(output_dir),
            device=str(device),
            cancel_event=_stop_of(cancel_event, ranks),
            resume_checkpoint=None if resume_checkpoint is None else Path(resume_checkpoint),
            models_dir=None if models_dir is None else Path(models_dir),
            dataset_name=dataset_name,
            model_name=model_name,
            fixes={Path(path).absolute(): fix for path, fix in (fixes or {}).items()},
            start_from=None if start_from is None else Path(start_from),
            ranks=ranks,
        ),
        callback,
    )


def _stop_of(cancel_event: threading.Event | None, ranks: Ranks) -> threading.Event:
    """Return the event that the loop goes by: the user's, or what several processes have agreed on."""
    local_event = cancel_event or threading.Event()
    return local_event if ranks.size == 1 else AgreedStop(local_event, ranks)


def _train(
    request: RunRequest, callback: MetricsCallback | None, notices: Sequence[TrainingNotice] = ()
) -> dict[str, Any]:
    """Run a request from its beginning to its end, whatever ends it; ``notices`` are emitted first."""
    ranks = request.ranks
    emit, started = EventSink(callback if ranks.is_first else None), time.perf_counter()
    opened: OpenedRun | None = None
    run: Run | None = None
    outcome, error = "failed", None
    try:
        for notice in notices:
            emit(notice)
        opened = open_run(request, emit)
        ranks.on_stuck(
            partial(finalize.record_failure, opened) if ranks.is_first else partial(mark_failed, request.output_dir)
        )
        began = time.perf_counter()
        with computing(opened.device, request.config.num_threads):
            run = prepare(opened)
        run.stopwatch.add("preparing", time.perf_counter() - began)
        with computing(run.device, run.plan.num_threads):
            outcome = "finished" if run_epochs(run) else "stopped"
    except Cancelled:
        outcome = "stopped"
    except BaseException as exc:
        error = _short_of_memory(exc, request.config.batch_size) if is_memory_error(exc) else exc
    if error is not None:
        ranks.fail(str(error) or type(error).__name__)
    if not ranks.is_first:
        return _end_with_first(request, run, error)
    try:
        result = finalize.end(opened, run, request, emit, outcome, error, started)
        outcome = str(result["outcome"])
    except BaseException:
        outcome = "failed"
        raise
    finally:
        ranks.end({"outcome": outcome})
    return result


def _end_with_first(request: RunRequest, run: Run | None, error: BaseException | None) -> dict[str, Any]:
    """Wait until the first process has written the end of the run, and return how it ended.

    Raises
    ------
    BaseException
        ``error``, or that the first process is gone; the run's record then says so.
    """
    if run is not None:
        run.writer.close()
    ended = request.ranks.wait_for_end()
    if ended is None:
        reason = request.ranks.failure or "The first process of the training is gone."
        error = error or PeerError(reason)
        if request.ranks.rank == 1:
            mark_failed(request.output_dir, reason)
    elif ended["outcome"] == "failed" and error is None:
        error = PeerError(request.ranks.failure or "The first process of the training has failed.")
    if error is not None:
        raise error
    assert ended is not None
    return {"outcome": str(ended["outcome"]), "output_dir": request.output_dir, "error": None}


def train_vqvae(config: VQVAEConfig, *arguments: Any, **named: Any) -> dict[str, Any]:
    """Train a residual-VQ autoencoder: `train`, typed for its configuration.

    Parameters and errors are those of `train`.

    Returns
    -------
    dict
        As of `train`, and ``final_codebook_health``: each level's health in the last epoch, or None.

    Raises
    ------
    ConfigurationError
        The configuration is that of another family; nothing has been read or written.
    """
    if not isinstance(config, VQVAEConfig):
        raise ConfigurationError(f"train_vqvae takes a VQVAEConfig, not a {type(config).__name__}: use train.")
    result = train(config, *arguments, **named)
    history = result["metrics_history"]
    last = history.epochs[-1] if history is not None and history.epochs else None
    return {**result, "final_codebook_health": None if last is None else last.codebook_health}


def _short_of_memory(error: BaseException, batch_size: int) -> BaseException:
    """Return an error that proposes a smaller batch, for one that says that memory was not enough."""
    traceback.clear_frames(error.__traceback__)  # lets go of the batch, so that the run can be ended
    if isinstance(error, MemoryShortError):
        return error
    smaller = (
        f"Start a new run with a smaller batch, for example {batch_size // 2} instead of {batch_size}, or close other "
        "programs."
        if batch_size > 1
        else "Close other programs, or train on fewer sounds."
    )
    log.error("Memory was not enough", exc_info=error)
    return MemoryShortError(f"There is not enough memory for this training. {smaller}")


def run_epochs(run: Run) -> bool:
    """Train and validate epoch after epoch; False when the user stopped it to resume it later.

    Whether the run has stopped improving is looked at before each epoch, and depends on its epochs alone: a run that
    is resumed ends where it would have ended.
    """
    if run.saved_at is None:
        save_progress(run)  # so that a run killed from here on can be resumed
    make_start_previews(run)
    complete_previews(run)
    run.writer.flush()
    report_write_errors(run)  # that nothing can be kept is told before the first epoch
    while run.epoch < run.config.max_epochs:
        if run.step == 0 and is_at_its_end(run.history.epochs, run.config.patience, run.warm_up):
            return finalize.end_without_improvement(run)
        epoch = run.epoch
        if not _timed_epoch(run):
            if not run.request.wants_finish:
                return False
            if run.step == 0:
                return finalize.end_after_last_epoch(run)
        event = finalize.end_epoch_early(run, _measure) if run.request.wants_finish else _measure(run)
        if event is None:
            return False
        run.epoch, run.step = epoch + 1, 0
        run.history.add_epoch(event)  # type: ignore[arg-type]
        run.emit(event)
        _emit_warnings(run, event)
        append_history(run)
        save_epoch(run, event)
        if is_preview_epoch(run, epoch):
            make_previews(run, epoch)
        report_write_errors(run)
    return True


def _emit_warnings(run: Run, event: EpochMetrics | VQEpochMetrics) -> None:
    """Emit warnings: each once when its reason begins and not again while it lasts; overfitting once in a run."""
    warnings = {notice.topic: notice for notice in run.family.warnings(event)}
    if "overfitting" in run.warned:
        warnings["overfitting"] = TrainingNotice("overfitting", "")  # already emitted
    elif _is_by_heart(run.history.epochs, run.warm_up):
        warnings["overfitting"] = overfitting_warning(event.overfitting_gap)
        if any(_is_by_heart(run.history.epochs[:count], run.warm_up) for count in range(run.known_epochs + 1)):
            run.warned.add("overfitting")  # emitted before this run was resumed
    for topic, notice in warnings.items():
        if topic not in run.warned:
            run.emit(notice)
    run.warned = set(warnings)


def _is_by_heart(epochs: Sequence[EpochMetrics] | Sequence[VQEpochMetrics], warm_up: int) -> bool:
    return judge(epochs, warm_up).kind is Kind.BY_HEART


def _timed_epoch(run: Run) -> bool:
    """Train an epoch and measure how long its steps take; False when the user stopped."""
    before, began = run.step, time.perf_counter()
    try:
        return _train_epoch(run)
    finally:
        run.stopwatch.add("step", time.perf_counter() - began, run.step - before)


def _train_epoch(run: Run) -> bool:
    """Take the steps of the epoch that are not done yet; False when the user stopped."""
    loader = run.training_data.train_loader
    loader.batch_sampler.start_at(run.epoch, run.step)  # type: ignore[union-attr]
    run.ranks.broadcast(_state_of(run))  # processors of different kinds must not drift apart
    meter = LossReader(
        run.family,
        run.epoch,
        run.training_data.steps_per_epoch,
        run.family.weights(run.epoch / run.kl_epochs),
        on_step=lambda step: _take_step(run, step),
        on_notice=run.emit,
        non_finite_run=run.non_finite_run,
    )
    sampler = loader.batch_sampler
    clip = run.config.regularization.gradient_clip_norm
    step = TrainingStep(run.family, run.model, run.optimizer, clip, run.plan)

    def after_step() -> None:  # counted one by one, so that the place is known whatever ends the epoch
        run.scheduler.step()
        run.step += 1

    def batches() -> Iterator[Tensor]:
        for batch in loader:
            if is_save_due(run):
                meter.read()  # the checkpoint's history has all steps that it has done
                save_progress(run)
            if is_history_due(run):
                meter.read()
                append_history(run)
            run.request.agree()
            yield batch

    try:
        train_steps(
            step,
            batches(),
            meter,
            run.device,
            run.config.seed,
            run.step,
            after_step,
            run.request.cancel_event,
            _prior_step(run),
            sampler.part_of,  # type: ignore[union-attr]
        )
    finally:
        run.non_finite_run = meter.non_finite_run
    return not run.request.cancel_event.is_set()


def _prior_step(run: Run) -> PriorStep:
    """Return what trains the prior within a step of the network."""
    prior, data, schedule = run.prior, run.training_data, run.schedule
    taken = run.epoch * data.steps_per_epoch
    sampler: Any = data.train_loader.batch_sampler
    batches = sampler.batches_of(run.epoch)

    def step(number: int, objective: Objective, skipped: Tensor) -> Tensor:
        assert objective.posterior is not None
        prior.put(torch.tensor(batches[number]), *objective.posterior, skipped, sampler.part_of(number))
        if number == 0 or prior.table.has_doubled:
            prior.fit()
        # A last phase lets the rate fall; without one it follows the network's.
        rate = min(1.0, (taken + number + 1) / WARMUP_STEPS) if prior.closing_steps else schedule(taken + number)
        return prior.step(rate, lambda: run.plan.autocast(run.device))

    return step


def _take_step(run: Run, step: StepMetrics | VQStepMetrics) -> None:
    run.history.add_step(step)  # type: ignore[arg-type]
    run.eta.add_step(step.step_time_s)
    run.emit(step)


def _measure(run: Run) -> EpochMetrics | VQEpochMetrics | None:
    """Measure held-out and training sounds alike; None when the user stopped."""
    weights = run.family.weights(1.0)
    size = run.config.batch_size
    val, train_items = run.training_data.val_set, run.training_data.measured_train_items
    measured: list[ValidationResult] = []
    began = time.perf_counter()
    for dataset, items in ((val, range(len(val))), (run.training_data.train_set, train_items)):
        validation = validate(
            run.family,
            run.model,
            _agreeing(run, dataset.batches(items, size, run.ranks)),
            weights,
            run.device,
            run.plan,
            pause_event_of(run.request.cancel_event),
            partial(_part_of, run, len(items)),
        )
        if validation is None:
            return None
        measured.append(validation)
    held_out, trained = measured
    run.stopwatch.add("measuring", time.perf_counter() - began, len(val) + len(train_items))
    try:
        new_sound_distance = _measure_new_sounds(run)
    except Cancelled:
        return None
    epoch_seconds = run.eta.end_epoch(run.training_data.steps_per_epoch)
    return run.family.epoch_event(
        EpochResult(
            epoch=run.epoch,
            total_epochs=run.config.max_epochs,
            train_loss=trained.loss,
            val_loss=held_out.loss,
            val_terms=held_out.terms,
            figures=held_out.figures,
            overfitting_gap=held_out.overfitting_gap(trained),
            learning_rate=float(run.scheduler.get_last_lr()[0]),
            eta_seconds=run.history.compute_eta(run.epoch, run.config.max_epochs, epoch_seconds, 1),
            elapsed_seconds=run.elapsed,
            new_sound_distance=new_sound_distance,
            closing_seconds=run.closing_seconds,
        )
    )


def _measure_new_sounds(run: Run) -> float | None:
    """Return how far new sounds lie from the corpus; None where that is not measured after this epoch, or cannot be.

    Raises
    ------
    Cancelled
        The user has stopped the run.
    """
    meter, prior = run.training_data.new_sounds, run.prior
    is_last = run.epoch + 1 == run.config.max_epochs
    due = is_due(run.history.epochs, run.training_data.steps_per_epoch, is_last)
    if not meter.can_measure or not due:
        return None
    began = time.perf_counter()

    def measure() -> float | None:
        with Interruptible(run.request.check_paused):
            return meter.measure(run.model, prior.averaged, partial(run.plan.autocast, run.device))

    distance: float | None = run.ranks.on_first(measure)
    run.stopwatch.add("new sounds", time.perf_counter() - began)
    return distance


def _part_of(run: Run, items: int, number: int) -> BatchSlice | None:
    """Return which part this process has of a batch of so many items that are measured, by its number."""
    size = run.config.batch_size
    return run.ranks.slice_of(min(size, items - number * size))


def _agreeing(run: Run, batches: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield batches; before each, all processes agree on whether the user has stopped the run."""
    for batch in batches:
        run.request.agree()
        yield batch


def _state_of(run: Run) -> list[Tensor]:
    """Return the tensors that training changes."""
    modules = [run.model, run.prior.prior, run.prior.averaged]
    return [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]


def resume_run(
    run_dir: Path | str,
    callback: MetricsCallback | None = None,
    cancel_event: threading.Event | None = None,
    max_epochs: int | None = None,
    models_dir: Path | str | None = None,
    sounds: Path | str | None = None,
) -> dict[str, Any]:
    """Continue a run from its newest whole checkpoint; see `train`.

    A run that was killed after its last checkpoint has all its epochs but no model: it is completed and ends as
    finished.

    Parameters
    ----------
    run_dir
        Folder of the run.
    callback, cancel_event, models_dir
        As in `train`.
    max_epochs
        New number of epochs, or None for the run's own.
    sounds
        Folder in which the sounds are now, where they were moved or renamed; they are found by their content.

    Returns
    -------
    dict
        As of `train`.

    Raises
    ------
    DistillError
        The folder is no run, has no checkpoint that can be read, its sounds cannot be found, or as in `train`.
    """
    folder, ranks = Path(run_dir), current_ranks()
    record = RunRecord.load(folder)
    notices: list[TrainingNotice] = []

    def look() -> tuple[str | None, list[str], str]:
        checkpoint, found = newest_whole(folder / "checkpoints")
        notices.extend(found)
        file_paths, no_answer = record.file_paths, ""
        stop = None if cancel_event is None else pause_event_of(cancel_event)
        if checkpoint is not None or sounds is not None:
            file_paths, no_answer = locate_unless_stopped(record, None if sounds is None else Path(sounds), stop)
        return None if checkpoint is None else str(checkpoint), [str(path) for path in file_paths], no_answer

    checkpoint, files, no_answer = ranks.on_first(look)
    request = RunRequest(
        config=with_epochs(record.config, max_epochs),
        file_paths=[Path(path) for path in files],
        output_dir=folder,
        device=pick_known_device(str(record.speed.get("device", record.config.device))),
        cancel_event=_stop_of(cancel_event, ranks),
        resume_checkpoint=None if checkpoint is None else Path(checkpoint),
        models_dir=None if models_dir is None else Path(models_dir),
        ranks=ranks,
        no_answer=no_answer,
    )
    return _train(request, callback, notices)
