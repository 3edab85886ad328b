"""A run while it lasts: what it owns, how it is set up, anew or from a checkpoint."""

import copy
import hashlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from distill.audio.augmentation import AugmentationPipeline
from distill.audio.cache import CachedSound, SoundCache
from distill.audio.corpus import RUN_MARKER
from distill.errors import CheckpointError, RunFolderError
from distill.models.catalog import make_family
from distill.models.family import ModelFamily
from distill.training.checkpoint import apply_checkpoint, read_checkpoint
from distill.training.config import AnyConfig, config_from_dict
from distill.training.dataset import make_loader, prepare_sounds, split_by_file
from distill.training.epoch import TrainingStep, step_randomness
from distill.training.features import FeatureDataset
from distill.training.metrics import (
    AnyHistory,
    EpochMetrics,
    Event,
    MetricsCallback,
    PreparationProgress,
    StepMetrics,
    TrainingNotice,
    VQEpochMetrics,
    VQStepMetrics,
)
from distill.training.run_folder import RunFolder, RunRecord
from distill.training.schedule import CosineFactor, make_scheduler
from distill.training.speed import Speed, choose_speed, pick_device
from distill.training.writer import BackgroundWriter

#: Training chunks, spread evenly, that the statistics of the corpus are taken from.
_STATISTICS_CHUNKS = 1024
#: Seconds between two reports of how far the preparation is.
_REPORT_INTERVAL_S = 0.1
#: Settings that a resumed run may change: they do not touch what is computed.
_FREE_ON_RESUME = frozenset(
    ("max_epochs", "checkpoint_interval", "preview_interval", "preview_interval_short", "max_checkpoints", "device",
     "precision", "num_threads")
)  # fmt: skip


@dataclass(frozen=True)
class Request:
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


class Teller:
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
class Material:
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

    request: Request
    config: AnyConfig
    family: ModelFamily
    device: torch.device
    folder: RunFolder
    record: RunRecord
    tell: Teller
    history: AnyHistory
    checkpoint: dict[str, Any] | None
    writer: BackgroundWriter = field(default_factory=BackgroundWriter)
    speed: Speed = field(default_factory=Speed)
    material: Material | None = None
    model: nn.Module | None = None
    optimizer: AdamW | None = None
    scheduler: LambdaLR | None = None
    schedule: CosineFactor | None = None
    epoch: int = 0
    step: int = 0
    kl_epochs: int = 1
    unfinished_checkpoint: int | None = None
    saved_at: tuple[int, int] | None = None
    elapsed_before: float = 0.0
    started: float = field(default_factory=time.perf_counter)
    session_epochs: int = 0
    non_finite_run: int = 0
    began: bool = False
    warned: set[str] = field(default_factory=set)
    warned_files: set[str] = field(default_factory=set)

    @property
    def elapsed(self) -> float:
        """Seconds of training so far, over all sessions of the run."""
        return self.elapsed_before + time.perf_counter() - self.started


def open_run(request: Request, tell: Teller) -> Run:
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
    resuming = checkpoint is not None or _began_without_checkpoint(request.output_dir, config)
    device = pick_device(request.device if request.device != "auto" else config.device)
    family = make_family(config)
    folder = RunFolder(request.output_dir, resuming)
    try:
        record = _record(request, resuming)
        if checkpoint is None:
            record.save(folder.path)
    except OSError as exc:
        folder.close()
        raise RunFolderError(f"The folder {folder.path} cannot be written to ({exc.strerror or exc}).") from exc
    history = family.history_type()
    return Run(request, config, family, device, folder, record, tell, history, checkpoint)


def _began_without_checkpoint(folder: Path, config: AnyConfig) -> bool:
    """Whether the folder holds this very run, ended before its first checkpoint: it may begin again."""
    if not (folder / RUN_MARKER).exists() or any((folder / "checkpoints").glob("*.pt")):
        return False
    return RunRecord.load(folder).config == config


def _record(request: Request, resuming: bool) -> RunRecord:
    if resuming and (request.output_dir / RUN_MARKER).exists():
        return RunRecord.load(request.output_dir)
    return RunRecord(
        config=request.config,
        file_paths=[Path(p).absolute() for p in request.file_paths],
        dataset_name=request.dataset_name,
        model_name=request.model_name,
    )


def _check_resumable(request: Request, checkpoint: dict[str, Any]) -> None:
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


def set_up(run: Run) -> None:
    """Prepare sounds, features and network, and take up the checkpoint where there is one.

    Raises
    ------
    DistillError
        Too few sounds can be used, or the checkpoint does not fit.
    DecodingCancelled
        The user stopped.
    """
    run.material = _material(run)
    run.kl_epochs = run.config.max_epochs
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.config.seed)
        model = run.family.build().to(run.device)
    if run.checkpoint is None:
        items = _spread(len(run.material.train_set), _STATISTICS_CHUNKS)
        run.family.fit_statistics(model, torch.cat(list(run.material.train_set.batches(items, 64))))
    run.model = model
    run.speed = _speed(run, model)
    run.speed.prepare_model(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    run.optimizer = AdamW(
        trained, lr=run.config.learning_rate, weight_decay=run.config.regularization.weight_decay, fused=True
    )
    total = run.config.max_epochs * run.material.steps_per_epoch
    run.schedule = CosineFactor.of_run(total)
    run.scheduler = make_scheduler(run.optimizer, run.schedule)
    if run.checkpoint is not None:
        _take_up(run, run.checkpoint)
    _begin(run)
    run.started = time.perf_counter()


def _begin(run: Run) -> None:
    """Put the run on record; a resume that was refused until here has left everything on disk as it was."""
    run.record.config, run.record.status, run.record.error = run.config, "running", None
    run.record.dataset_name = run.request.dataset_name or run.record.dataset_name
    run.record.model_name = run.request.model_name or run.record.model_name
    try:
        run.record.save(run.folder.path)
        run.folder.write_history(run.history)
    except OSError as exc:
        raise RunFolderError(f"The folder {run.folder.path} cannot be written to ({exc.strerror or exc}).") from exc
    run.began = True


def _spread(items: int, most: int) -> list[int]:
    """Return up to ``most`` item numbers, spread evenly."""
    picked: list[int] = np.unique(np.linspace(0, items - 1, min(items, most)).round().astype(int)).tolist()
    return picked


def _material(run: Run) -> Material:
    request, config, tell = run.request, run.config, run.tell
    prepared = prepare_sounds(
        request.file_paths, SoundCache(), lambda d, t: tell.progress("Reading sounds", d, t), request.cancel_event
    )
    run.record.skipped = prepared.skipped
    for skipped in prepared.skipped:
        tell(TrainingNotice("skipped", f"{skipped.path.name} is left out: {skipped.reason}"))
    train, val = split_by_file(prepared.sounds, config.val_fraction)
    variants = config.regularization.augmentation_expansion
    pipeline = AugmentationPipeline() if variants > 1 else None
    train_set = FeatureDataset(train, run.family, pipeline, variants)
    val_set = FeatureDataset(val, run.family)
    for stage, dataset in (("Preparing variants", train_set), ("Preparing held-out sounds", val_set)):
        dataset.prepare(lambda d, t, stage=stage: tell.progress(stage, d, t), request.cancel_event)  # type: ignore[misc]
    return Material(
        sounds=prepared.sounds,
        train_set=train_set,
        val_set=val_set,
        train_loader=make_loader(train_set, len(train_set), config.batch_size, config.seed),
        probe_items=_spread(train_set.layout.chunks, len(val_set)),
        preview_waveforms=_preview_waveforms(val_set),
    )


def _preview_waveforms(val_set: FeatureDataset) -> Tensor:
    """Return the beginning of the first held-out sounds, ``[B, 1, N]``."""
    from distill.training.preview import PAIRS

    layout = val_set.layout
    starts = [torch.from_numpy(sound.read(0, layout.chunk_samples)) for sound in layout.sounds[:PAIRS]]
    return torch.stack(starts)[:, None]


def _speed(run: Run, model: nn.Module) -> Speed:
    """Return how to compute: as the run did before, or by a trial on a copy of the network."""
    state = (run.checkpoint or {}).get("training_state", {})
    known = state.get("speed") or run.record.speed
    if known:
        return Speed.from_dict(known)
    assert run.material is not None
    items = _spread(len(run.material.train_set), run.config.batch_size)
    batch = next(run.material.train_set.batches(items, run.config.batch_size)).to(run.device)
    weights = run.family.weights(1.0)

    def step(speed: Speed) -> None:
        with step_randomness(run.config.seed, 0, 0, run.device):
            trial(speed)(speed.layout(batch), weights, 0)

    trials: dict[tuple[str, bool], TrainingStep] = {}

    def trial(speed: Speed) -> TrainingStep:
        key = (speed.precision, speed.channels_last)
        if key not in trials:
            twin = speed.prepare_model(copy.deepcopy(model)).train()
            optimizer = AdamW([p for p in twin.parameters() if p.requires_grad], lr=1e-4, fused=True)
            trials[key] = TrainingStep(run.family, twin, optimizer, 1.0, speed)
        return trials[key]

    run.tell(PreparationProgress("Finding the fastest way to compute", 0, 1))
    chosen = choose_speed(
        run.config, run.device, step, f"{run.family.feature_key()} {type(model).__name__} {batch.shape}"
    )
    run.record.speed = chosen.to_dict()
    run.tell(TrainingNotice("speed", f"Computing in {chosen.why}.", "info"))
    return chosen


def _take_up(run: Run, checkpoint: dict[str, Any]) -> None:
    """Continue where a checkpoint stood."""
    path = run.request.resume_checkpoint
    assert path is not None and run.model is not None and run.material is not None
    state = checkpoint.get("training_state") or {}
    try:
        run.history = type(run.history).from_dict(checkpoint["metrics_history"])
        stored = CosineFactor(**state["schedule"])
        completed, position, digest = bool(state["epoch_completed"]), int(state["step_in_epoch"]), str(state["sounds"])
        run.kl_epochs, run.elapsed_before = int(state["kl_epochs"]), float(state["elapsed_seconds"])
    except (KeyError, TypeError, ValueError) as exc:
        raise CheckpointError(f"{path.name} lacks what resuming needs ({exc}). Use another checkpoint.") from exc
    if digest != run.material.digest:
        raise CheckpointError(
            f"The sounds are not those that {path.name} was trained on: some were added, removed or changed. "
            "Put them back, or start a new run."
        )
    apply_checkpoint(path, checkpoint, run.model, run.optimizer, run.scheduler)
    run.epoch = checkpoint["epoch"] + 1 if completed else checkpoint["epoch"]
    run.step = 0 if completed else position
    run.unfinished_checkpoint = None if completed else run.epoch
    run.saved_at = (run.epoch, run.step)
    _set_schedule(run, stored)
    place = f"epoch {run.epoch}" + (f", step {run.step}" if run.step else "")
    run.tell(TrainingNotice("resumed", f"Resumed from {path.name} at {place} of {run.config.max_epochs}.", "info"))


def _set_schedule(run: Run, stored: CosineFactor) -> None:
    """Keep the stored schedule, or go over to that of a longer or shorter run and say so."""
    assert run.material is not None and run.scheduler is not None and run.optimizer is not None
    total = run.config.max_epochs * run.material.steps_per_epoch
    taken = run.epoch * run.material.steps_per_epoch + run.step
    schedule = stored if total == stored.total_steps else stored.extended(taken, total)
    run.schedule = schedule
    run.scheduler.lr_lambdas = [schedule]
    rate = run.config.learning_rate * schedule(taken)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    if schedule is not stored:
        peak = run.config.learning_rate * schedule(taken + schedule.warmup_steps)
        run.tell(
            TrainingNotice(
                "schedule",
                f"The run now goes to {run.config.max_epochs} epochs: the learning rate moves from {rate:.1e} to "
                f"{peak:.1e} within {schedule.warmup_steps} steps, then follows the cosine of the longer run; the KL "
                f"weight keeps its warm-up of {run.kl_epochs} epochs.",
                "info",
            )
        )


def with_epochs(config: AnyConfig, max_epochs: int | None) -> AnyConfig:
    """Return ``config`` with another number of epochs, or as it is."""
    return config if max_epochs is None else replace(config, max_epochs=max_epochs)
