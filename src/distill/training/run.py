"""What a run consists of: its request, events, opened folder and training data, and the state of its training."""

import hashlib
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from distill.audio.cache.sound_cache import CachedSound
from distill.audio.decoding.sound_fix import SoundFix
from distill.computing.background_writer import BackgroundWriter
from distill.config.training import AnyConfig
from distill.distributed.ranks import ALONE, Ranks
from distill.errors import Cancelled, NotEnoughSoundsError
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
from distill.models.families.family import ModelFamily
from distill.runs.estimates.measured_costs import Stopwatch
from distill.runs.folder import RunFolder
from distill.runs.run_record import RunRecord
from distill.runs.verdict import warm_up_epochs
from distill.training.checkpoint import BestCheckpoint
from distill.training.compute_plan import ComputePlan
from distill.training.dataset import FeatureDataset
from distill.training.start_point import StartPoint
from distill.training.steps.eta import EtaEstimator
from distill.training.steps.learning_rate_schedule import CosineFactor
from distill.training.steps.new_sound_distance import NewSoundMeter
from distill.training.steps.prior_training import PriorTraining
from distill.training.stop_request import AgreedStop, pause_event_of, wants_finish

log = logging.getLogger("distill.training")

#: Minimum seconds between two events of the progress of the preparation.
_PROGRESS_EVENT_INTERVAL_S = 0.1
_LOG_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class EventSink:
    """Passes events to the callback, logs notices, and collects what is written to the run's folder."""

    def __init__(self, callback: MetricsCallback | None) -> None:
        self._callback = callback
        self.unwritten: list[StepMetrics | EpochMetrics | VQStepMetrics | VQEpochMetrics] = []
        self.notes: list[str] = []
        self._progress_emitted_at = 0.0

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
        if done == total or now - self._progress_emitted_at >= _PROGRESS_EVENT_INTERVAL_S:
            self._progress_emitted_at = now
            self(PreparationProgress(stage, done, total))


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
        return self.resume_checkpoint is not None and is_own(self.resume_checkpoint, self.output_dir)

    def check_paused(self) -> None:
        """End the preparation if the user has stopped the run.

        Raises
        ------
        Cancelled
            The user has stopped the run.
        """
        if self.pause_event.is_set():
            raise Cancelled


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
        batch_size = self.train_set.family.config.batch_size
        batches_per_epoch = -(-len(self.train_set.layout) // batch_size)  # without half steps
        return max(1, batches_per_epoch)


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
    best: BestCheckpoint = field(default_factory=BestCheckpoint)
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


def is_own(checkpoint: Path, output_dir: Path) -> bool:
    """Whether a checkpoint belongs to the run in the folder."""
    return checkpoint.resolve().parent == (output_dir / "checkpoints").resolve()


def with_epochs(config: AnyConfig, max_epochs: int | None) -> AnyConfig:
    """Return ``config`` with another number of epochs, or unchanged for None."""
    return config if max_epochs is None else replace(config, max_epochs=max_epochs)
