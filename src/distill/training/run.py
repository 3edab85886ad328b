"""A run while it lasts: what it owns, how it is set up, anew or from a checkpoint."""

import hashlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from distill.audio.cache.sound_cache import CachedSound
from distill.audio.corpus import RUN_MARKER
from distill.config.catalog import config_from_dict
from distill.config.training import AnyConfig
from distill.errors import CheckpointError, RunFolderError
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
from distill.history import AnyHistory
from distill.models.families import make_family
from distill.models.families.family import ModelFamily
from distill.runs.folder import RunFolder, RunRecord
from distill.runs.stop_request import pause_event_of, wants_finish
from distill.serialization.archive import check_network, read_checkpoint
from distill.training.background_writer import BackgroundWriter
from distill.training.compute_plan import ComputePlan, pick_device
from distill.training.data.features import FeatureDataset
from distill.training.prior_training import PriorTraining
from distill.training.steps.eta import EtaEstimator
from distill.training.steps.schedule import CosineFactor

#: Seconds between two reports of how far the preparation is.
_REPORT_INTERVAL_S = 0.1
#: Settings that a resumed run may change: they do not touch what is computed.
_FREE_ON_RESUME = frozenset(
    ("max_epochs", "checkpoint_interval", "preview_interval", "preview_interval_short", "max_checkpoints", "device",
     "precision", "num_threads")
)  # fmt: skip


@dataclass(frozen=True)
class RunRequest:
    """What `train` was asked for."""

    config: AnyConfig
    file_paths: Sequence[Path | str]
    output_dir: Path
    device: str
    cancel_event: threading.Event
    resume_checkpoint: Path | None = None
    models_dir: Path | None = None
    dataset_name: str = ""
    model_name: str = ""

    @property
    def pause_event(self) -> threading.Event:
        """What interrupts reading and measuring, which the wish to finish needs and must not interrupt."""
        return pause_event_of(self.cancel_event)

    @property
    def wants_finish(self) -> bool:
        """Whether the run is to end now as finished."""
        return wants_finish(self.cancel_event)


class EventSink:
    """Hands events to the callback, and keeps those that go to disk."""

    def __init__(self, callback: MetricsCallback | None) -> None:
        self._callback = callback
        self.unwritten: list[StepMetrics | EpochMetrics | VQStepMetrics | VQEpochMetrics] = []
        self.notes: list[str] = []
        self._reported_at = 0.0

    def __call__(self, event: Event) -> None:
        """Tell an event."""
        if isinstance(event, TrainingNotice):
            self.notes.append(event.message)
        elif isinstance(event, (StepMetrics, EpochMetrics, VQStepMetrics, VQEpochMetrics)):
            self.unwritten.append(event)
        if self._callback is not None:
            self._callback(event)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Tell how far the preparation is, a few times a second."""
        now = time.perf_counter()
        if done == total or now - self._reported_at >= _REPORT_INTERVAL_S:
            self._reported_at = now
            self(PreparationProgress(stage, done, total))


@dataclass
class TrainingData:
    """What a run trains and measures on."""

    sounds: list[CachedSound]
    train_set: FeatureDataset
    val_set: FeatureDataset
    train_loader: DataLoader[Tensor]
    probe_items: list[int]
    preview_waveforms: Tensor

    @property
    def digest(self) -> str:
        """Return a digest of the sounds' content, by which a resumed run knows them again."""
        hashes = "\n".join(sorted(s.content_hash for s in self.sounds))
        return hashlib.blake2b(hashes.encode(), digest_size=16).hexdigest()

    @property
    def steps_per_epoch(self) -> int:
        """Training steps in a whole epoch."""
        batches = -(-len(self.train_set) // self.train_set.family.config.batch_size)
        return max(1, batches)


@dataclass
class Run:
    """Everything that a run owns between `open_run` and its end.

    ``epoch`` is the epoch in progress, ``step`` the number of its steps that are done.
    """

    request: RunRequest
    config: AnyConfig
    family: ModelFamily
    device: torch.device
    folder: RunFolder
    record: RunRecord
    emit: EventSink
    history: AnyHistory
    checkpoint: dict[str, Any] | None
    writer: BackgroundWriter = field(default_factory=BackgroundWriter)
    speed: ComputePlan = field(default_factory=ComputePlan)
    training_data: TrainingData | None = None
    model: nn.Module | None = None
    optimizer: AdamW | None = None
    prior: PriorTraining | None = None
    scheduler: LambdaLR | None = None
    schedule: CosineFactor | None = None
    epoch: int = 0
    step: int = 0
    kl_epochs: int = 1
    unfinished_checkpoint: int | None = None
    saved_at: tuple[int, int] | None = None
    elapsed_before: float = 0.0
    started: float = field(default_factory=time.perf_counter)
    pace: EtaEstimator = field(default_factory=EtaEstimator)
    non_finite_run: int = 0
    began: bool = False
    warned: set[str] = field(default_factory=set)
    warned_files: set[str] = field(default_factory=set)

    @property
    def elapsed(self) -> float:
        """Seconds of training so far, over all sessions of the run."""
        return self.elapsed_before + time.perf_counter() - self.started


def open_run(request: RunRequest, emit: EventSink) -> Run:
    """Claim the run's folder and read what is resumed; nothing is computed yet.

    Raises
    ------
    DistillError
        The folder is taken, or the checkpoint cannot be resumed.
    """
    checkpoint = None
    config = request.config
    if request.resume_checkpoint is not None:
        checkpoint = read_checkpoint(request.resume_checkpoint)
        _check_resumable(request, checkpoint)
    resuming = _is_own(request) if checkpoint is not None else _began_without_checkpoint(request.output_dir, config)
    device = pick_device(request.device if request.device != "auto" else config.device)
    family = make_family(config)
    if checkpoint is not None:
        assert request.resume_checkpoint is not None
        check_network(family.build, checkpoint["model_state_dict"], request.resume_checkpoint, CheckpointError)
    folder = RunFolder(request.output_dir, resuming)
    try:
        record = _record(request, resuming)
        if checkpoint is None:
            record.save(folder.path)
    except RunFolderError:
        folder.close()
        raise
    except OSError as exc:
        folder.close()
        raise RunFolderError(f"The folder {folder.path} cannot be written to ({exc.strerror or exc}).") from exc
    history = family.history_type()
    return Run(request, config, family, device, folder, record, emit, history, checkpoint)


def _is_own(request: RunRequest) -> bool:
    """Whether the checkpoint that is resumed is one of the run in the folder."""
    assert request.resume_checkpoint is not None
    return request.resume_checkpoint.resolve().parent == (request.output_dir / "checkpoints").resolve()


def _began_without_checkpoint(folder: Path, config: AnyConfig) -> bool:
    """Whether the folder holds this very run, ended before its first checkpoint: it may begin again."""
    if not (folder / RUN_MARKER).exists() or any((folder / "checkpoints").glob("*.pt")):
        return False
    return RunRecord.load(folder).config == config


def _record(request: RunRequest, resuming: bool) -> RunRecord:
    sounds = [Path(p).absolute() for p in request.file_paths]
    if resuming and (request.output_dir / RUN_MARKER).exists():
        # The sounds may have moved, and a run that begins again may have been given others.
        return replace(RunRecord.load(request.output_dir), file_paths=sounds, planned_epochs=None)
    return RunRecord(
        config=request.config,
        file_paths=sounds,
        dataset_name=request.dataset_name,
        model_name=request.model_name,
    )


def _check_resumable(request: RunRequest, checkpoint: dict[str, Any]) -> None:
    assert request.resume_checkpoint is not None
    name = request.resume_checkpoint.name
    stored = config_from_dict(checkpoint["training_config"])
    if type(stored) is not type(request.config):
        raise CheckpointError(f"{name} is of the family {stored.family}, not {request.config.family}.")
    old, new = stored.to_dict(), request.config.to_dict()
    differ = sorted(key for key in old if old[key] != new[key] and key not in _FREE_ON_RESUME)
    if differ:
        raise CheckpointError(f"{name} was trained with other settings ({', '.join(differ)}); a run keeps its own.")
    done = checkpoint["epoch"] + bool((checkpoint.get("training_state") or {}).get("epoch_completed"))
    if request.config.max_epochs <= done:
        raise CheckpointError(f"{name} has done {done} epochs already. Ask for more than that to go on.")


def with_epochs(config: AnyConfig, max_epochs: int | None) -> AnyConfig:
    """Return ``config`` with another number of epochs, or as it is."""
    return config if max_epochs is None else replace(config, max_epochs=max_epochs)
