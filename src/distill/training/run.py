"""What a run consists of: its request, its claimed folder, its training data, and the state of its training."""

import hashlib
import logging
import math
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from distill import paths
from distill.audio.cache.sound_cache import CachedSound
from distill.audio.decoding.fixes import SoundFix
from distill.computing.devices import pick_device
from distill.config.catalog import config_from_dict
from distill.config.starting_model import SHAPE, config_from_model
from distill.config.training import AnyConfig
from distill.distributed.ranks import ALONE, Ranks
from distill.errors import Cancelled, CheckpointError, ConfigurationError, NotEnoughSoundsError, RunFolderError
from distill.events import (
    EpochMetrics,
    Event,
    MetricsCallback,
    PreparationProgress,
    StepMetrics,
    TrainingNotice,
    VQEpochMetrics,
    VQStepMetrics,
)
from distill.metrics_history import AnyHistory
from distill.models.families import make_family
from distill.models.families.family import ModelFamily
from distill.paths import RUN_MARKER
from distill.runs.background_writer import BackgroundWriter
from distill.runs.folder import MODEL, FollowedFolder, RunFolder, RunRecord
from distill.runs.stop_request import pause_event_of, wants_finish
from distill.runs.verdict import warm_up_epochs
from distill.serialization.archive import check_network, read_checkpoint
from distill.training.compute_plan import ComputePlan
from distill.training.dataset import FeatureDataset
from distill.training.starting_model.start_point import StartPoint, read_start
from distill.training.steps.agreed_stop import AgreedStop
from distill.training.steps.eta import EtaEstimator
from distill.training.steps.new_sounds import NewSoundMeter
from distill.training.steps.prior_training import PriorTraining
from distill.training.steps.schedule import CosineFactor
from distill.training.steps.stopwatch import Stopwatch

log = logging.getLogger("distill.training")

#: Minimum seconds between two progress reports of the preparation.
_REPORT_INTERVAL_S = 0.1
#: Settings that a resumed run may change; all others must be those of the checkpoint.
_FREE_ON_RESUME = frozenset(
    ("max_epochs", "patience", "checkpoint_interval", "preview_interval", "preview_interval_short", "max_checkpoints",
     "device", "precision", "num_threads")
)  # fmt: skip
_LOG_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@dataclass(frozen=True)
class RunRequest:
    """The arguments of `distill.training.loop.train`; ``no_answer`` is as in `OpenedRun`."""

    config: AnyConfig
    file_paths: Sequence[Path]
    output_dir: Path
    device: str
    cancel_event: threading.Event
    resume_checkpoint: Path | None = None
    models_dir: Path | None = None
    dataset_name: str = ""
    model_name: str = ""
    fixes: Mapping[Path, SoundFix] = field(default_factory=dict)
    start_from: Path | None = None
    ranks: Ranks = ALONE
    no_answer: str = ""

    @cached_property  # asked before each operation of torch
    def pause_event(self) -> threading.Event:
        """The event that interrupts everything but a step; a request to finish the run does not set it.

        Among several processes it is this one's: for what it does alone.
        """
        stop = self.cancel_event
        return pause_event_of(stop.local_event if isinstance(stop, AgreedStop) else stop)

    def agree(self) -> None:
        """Let all processes know the same of the user's wish to stop."""
        if isinstance(self.cancel_event, AgreedStop):
            self.cancel_event.agree()

    @property
    def wants_finish(self) -> bool:
        """Whether the run shall end now as finished."""
        return wants_finish(self.cancel_event)

    @property
    def resumes_own(self) -> bool:
        """Whether the checkpoint that is resumed is one of the run's own folder."""
        return self.resume_checkpoint is not None and _is_own(self.resume_checkpoint, self.output_dir)

    def check_paused(self) -> None:
        """End the preparation if the user has stopped the run.

        Raises
        ------
        Cancelled
            The user has stopped the run.
        """
        if self.pause_event.is_set():
            raise Cancelled


class EventSink:
    """Passes events to the callback, logs notices, and collects what is written to the run's folder."""

    def __init__(self, callback: MetricsCallback | None) -> None:
        self._callback = callback
        self.unwritten: list[StepMetrics | EpochMetrics | VQStepMetrics | VQEpochMetrics] = []
        self.notes: list[str] = []
        self._reported_at = 0.0

    def __call__(self, event: Event) -> None:
        """Emit an event."""
        if isinstance(event, TrainingNotice):
            self.notes.append(event.message)
            log.log(_LOG_LEVELS[event.level], event.message)
        elif isinstance(event, (StepMetrics, EpochMetrics, VQStepMetrics, VQEpochMetrics)):
            self.unwritten.append(event)
        if self._callback is not None:
            self._callback(event)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Emit the progress of the preparation, at most ten times a second."""
        now = time.perf_counter()
        if done == total or now - self._reported_at >= _REPORT_INTERVAL_S:
            self._reported_at = now
            self(PreparationProgress(stage, done, total))


@dataclass
class TrainingData:
    """The sounds of a run, split into training and validation set, with everything that is computed from them once."""

    sounds: list[CachedSound]
    preparation: int
    fixes: Mapping[str, SoundFix]
    train_set: FeatureDataset
    val_set: FeatureDataset
    train_loader: DataLoader[Tensor]
    measured_train_items: list[int]
    preview_waveforms: Tensor
    new_sounds: NewSoundMeter

    @property
    def digest(self) -> str:
        """A digest of the sounds' content; a resumed run must have the same."""
        hashes = "\n".join(sorted(s.content_hash for s in self.sounds))
        return hashlib.blake2b(hashes.encode(), digest_size=16).hexdigest()

    @property
    def steps_per_epoch(self) -> int:
        """Number of training steps in an epoch."""
        batches = -(-len(self.train_set.layout) // self.train_set.family.config.batch_size)  # without half steps
        return max(1, batches)


@dataclass
class BestEpoch:
    """The epoch of lowest validation loss so far, and its snapshot; on disk it keeps what a model file needs."""

    epoch: int = -1
    val_loss: float = math.inf
    checkpoint: dict[str, Any] | None = None
    state: Literal["in memory", "being written", "on disk"] = "in memory"


@dataclass(kw_only=True)
class OpenedRun:
    """A run whose folder is claimed; nothing has been computed yet.

    ``start`` is what a new run starts from, where that is not nothing.  ``no_answer`` is a sentence on the folder that
    did not answer when the user stopped, otherwise empty.
    """

    request: RunRequest
    config: AnyConfig
    family: ModelFamily
    device: torch.device
    folder: RunFolder
    record: RunRecord
    emit: EventSink
    checkpoint: dict[str, Any] | None
    start: StartPoint | None = None
    no_answer: str = ""

    @property
    def ranks(self) -> Ranks:
        """The processes that train this run."""
        return self.request.ranks

    def leaves_nothing(self, error: BaseException | None) -> bool:
        """Remove the folder of a new run whose sounds are not enough, and return whether that is so."""
        return isinstance(error, NotEnoughSoundsError) and self.folder.abandon()


@dataclass(kw_only=True)
class Run(OpenedRun):
    """A prepared run: everything that training, checkpoints and the end of the run need.

    Attributes
    ----------
    epoch, step
        The epoch in progress, and how many of its steps are done.
    kl_epochs
        Number of epochs that the warm-up of the loss weights refers to.
    unfinished_checkpoint
        Epoch whose checkpoint on disk was written before the epoch was complete, or None.
    saved_at, saved_time
        ``(epoch, step)`` of the newest checkpoint, or None; and the time at which it was taken.
    history_time
        The time at which the history on disk was brought up to date.
    best
        The best epoch so far.
    elapsed_before
        Seconds of training in earlier sessions.
    stopwatch
        What this session took.
    known_epochs
        Number of epochs that were complete when this session began.
    closing_seconds
        Expected between the last epoch and the end.
    """

    training_data: TrainingData
    model: nn.Module
    plan: ComputePlan
    optimizer: AdamW
    prior: PriorTraining
    scheduler: LambdaLR
    schedule: CosineFactor
    history: AnyHistory
    kl_epochs: int
    epoch: int = 0
    step: int = 0
    unfinished_checkpoint: int | None = None
    saved_at: tuple[int, int] | None = None
    saved_time: float = field(default_factory=time.perf_counter)
    best: BestEpoch = field(default_factory=BestEpoch)
    elapsed_before: float = 0.0
    history_time: float = field(default_factory=time.perf_counter)
    started: float = field(default_factory=time.perf_counter)
    eta: EtaEstimator = field(default_factory=EtaEstimator)
    writer: BackgroundWriter = field(default_factory=BackgroundWriter)
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    non_finite_run: int = 0
    known_epochs: int = 0
    closing_seconds: float = 0.0
    warned: set[str] = field(default_factory=set)
    warned_files: set[str] = field(default_factory=set)

    @property
    def elapsed(self) -> float:
        """Seconds of training over all sessions of the run."""
        return self.elapsed_before + time.perf_counter() - self.started

    @property
    def warm_up(self) -> int:
        """Number of epochs in which the KL weight warms up."""
        return warm_up_epochs(self.config, self.kl_epochs)


def open_run(request: RunRequest, emit: EventSink) -> OpenedRun:
    """Claim the run's folder and read the checkpoint that is resumed.

    Of several processes the first one claims it, and the others read what they need.

    Raises
    ------
    DistillError
        The folder cannot be used, or the checkpoint cannot be resumed.
    """
    claimed: list[OpenedRun] = []
    request.ranks.on_first(lambda: claimed.append(_claim(request, emit)))
    return claimed[0] if claimed else _follow(request, emit)


def _follow(request: RunRequest, emit: EventSink) -> OpenedRun:
    """Return a run whose folder the first process has claimed; nothing is written to it from here."""
    checkpoint = None if request.resume_checkpoint is None else read_checkpoint(request.resume_checkpoint)
    record = replace(RunRecord.load(request.output_dir), file_paths=[path.absolute() for path in request.file_paths])
    folder = FollowedFolder(request.output_dir)
    device = _device_of(request)
    start = None
    if checkpoint is None and record.origin is not None:
        start = read_start(Path(str(record.origin["path"])))
    return OpenedRun(
        request=request, config=request.config, family=make_family(request.config), device=device, folder=folder,
        record=record, emit=emit, checkpoint=checkpoint, start=start,
    )  # fmt: skip


def _device_of(request: RunRequest) -> torch.device:
    name = request.device if request.device != "auto" else request.config.device
    return request.ranks.device(pick_device(request.ranks.device_name(name)))


def _claim(request: RunRequest, emit: EventSink) -> OpenedRun:
    if request.config.batch_size < request.ranks.size:
        raise ConfigurationError(
            f"A batch of {request.config.batch_size} chunks cannot be shared by {request.ranks.size} processes. Start "
            "fewer processes, or set a larger batch."
        )
    _refuse_among_sounds(request)
    checkpoint = None
    if request.resume_checkpoint is not None:
        checkpoint = read_checkpoint(request.resume_checkpoint)
        _check_resumable(request, request.resume_checkpoint, checkpoint)
        resuming = request.resumes_own
    else:
        resuming = _began_without_checkpoint(request.output_dir, request.config)
    start = _start_point(request, resuming)
    device = _device_of(request)
    family = make_family(request.config)
    if checkpoint is not None and request.resume_checkpoint is not None:
        check_network(family.build, checkpoint["model_state_dict"], request.resume_checkpoint, CheckpointError)
    folder = RunFolder(request.output_dir, resuming)
    try:
        record = _record(request, resuming)
        if start is not None and record.origin is None:
            record.origin = {**start.origin, "split": None if start.split is None else start.split.to_dict()}
        if checkpoint is None:
            record.save(folder.path)
    except RunFolderError:
        folder.close()
        raise
    except OSError as exc:
        folder.close()
        raise RunFolderError(f"The folder {folder.path} cannot be written to ({exc.strerror or exc}).") from exc
    return OpenedRun(
        request=request, config=request.config, family=family, device=device, folder=folder, record=record, emit=emit,
        checkpoint=checkpoint, start=start,
    )  # fmt: skip


def _start_point(request: RunRequest, resuming: bool) -> StartPoint | None:
    """Return what a run starts from; one that was ended before its first checkpoint starts from the same again.

    Raises
    ------
    DistillError
        The model cannot be used, or the settings are not its own.
    """
    path = request.start_from
    if resuming and request.resume_checkpoint is None:
        origin = RunRecord.load(request.output_dir).origin
        path = Path(str(origin["path"])) if origin and "path" in origin else path
    if path is None or request.resume_checkpoint is not None:
        return None
    start = read_start(path)
    config_from_model(request.config, start.config, SHAPE)  # refuses another shape
    return start


def _refuse_among_sounds(request: RunRequest) -> None:
    """Refuse a run's folder inside a folder of sounds: its previews would be sounds of the next run.

    The folder of all runs is never searched for sounds, and may lie inside: sounds may be in the home folder itself.
    """
    if (request.output_dir / RUN_MARKER).exists():
        return  # a run that is already there
    target = Path(os.path.realpath(request.output_dir))  # `Path.resolve` fails at a link that leads to itself
    if target.is_relative_to(os.path.realpath(paths.runs_dir())):
        return
    for folder in {Path(os.path.realpath(path)).parent for path in request.file_paths}:
        if target.is_relative_to(folder):
            raise RunFolderError(
                f"The run's folder {request.output_dir} would lie inside the folder of sounds {folder}. "
                "Choose a folder outside it."
            )


def _is_own(checkpoint: Path, output_dir: Path) -> bool:
    """Whether a checkpoint belongs to the run in the folder."""
    return checkpoint.resolve().parent == (output_dir / "checkpoints").resolve()


def _began_without_checkpoint(folder: Path, config: AnyConfig) -> bool:
    """Whether the folder holds the same run, ended before its first checkpoint: it may start again.

    One that has a model has had checkpoints, which were deleted since: the model is not to be replaced.
    """
    has_begun = any((folder / "checkpoints").glob("*.pt")) or os.path.lexists(folder / MODEL)
    if has_begun or not (folder / RUN_MARKER).exists():
        return False
    return not _changed_settings(RunRecord.load(folder).config, config)


def _changed_settings(stored: AnyConfig, wanted: AnyConfig) -> list[str]:
    """Return the settings in which a run differs from the one that is asked for, of those that it must keep."""
    if type(stored) is not type(wanted):
        return ["family"]
    old, new = stored.to_dict(), wanted.to_dict()
    return sorted(key for key in old if old[key] != new[key] and key not in _FREE_ON_RESUME)


def _record(request: RunRequest, resuming: bool) -> RunRecord:
    sounds = [path.absolute() for path in request.file_paths]
    if resuming and (request.output_dir / RUN_MARKER).exists():
        # The sounds may have moved, and a run that starts again may have been given others, and other fixes.
        record = RunRecord.load(request.output_dir)
        wanted = dict(request.fixes) or record.wanted_fixes
        is_as_long = request.config.max_epochs == record.config.max_epochs  # otherwise its settings say it from now on
        planned = record.planned_epochs if is_as_long else None
        return replace(record, file_paths=sounds, planned_epochs=planned, wanted_fixes=wanted)
    return RunRecord(
        config=request.config,
        file_paths=sounds,
        dataset_name=request.dataset_name,
        model_name=request.model_name,
        wanted_fixes=dict(request.fixes),
    )


def _check_resumable(request: RunRequest, path: Path, checkpoint: dict[str, Any]) -> None:
    """Refuse a checkpoint of other settings, and one that has all epochs of a run that has ended."""
    stored = config_from_dict(checkpoint["training_config"])
    if type(stored) is not type(request.config):
        raise CheckpointError(f"{path.name} is of the family {stored.family}, not {request.config.family}.")
    differ = _changed_settings(stored, request.config)
    if differ:
        names = ", ".join(differ)
        raise CheckpointError(f"{path.name} was trained with other settings ({names}); a run keeps its own.")
    done = checkpoint["epoch"] + ((checkpoint.get("training_state") or {}).get("epoch_completed") is True)
    left = request.config.max_epochs - done
    if left < 0 or (left == 0 and _has_ended(request.output_dir, path)):
        raise CheckpointError(f"{path.name} has done {done} epochs already. Ask for more than that to go on.")


def _has_ended(folder: Path, checkpoint: Path) -> bool:
    """Whether nothing is left to do for the run in the folder but to train more epochs.

    A run that was killed between its last checkpoint and its end has all epochs, but no model file or no final record.
    """
    if not _is_own(checkpoint, folder) or not (folder / RUN_MARKER).exists():
        return True
    return RunRecord.load(folder).status == "finished" and (folder / MODEL).is_file()


def with_epochs(config: AnyConfig, max_epochs: int | None) -> AnyConfig:
    """Return ``config`` with another number of epochs, or unchanged for None."""
    return config if max_epochs is None else replace(config, max_epochs=max_epochs)
