"""One epoch: training steps and validation, for every family.

`train_steps` and `validate` are what the loop runs; `train_epoch` and `validate_epoch` are thin adapters over them for
people who bring their own loop.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from distill.audio.spectrogram import AudioSpectrogram
from distill.errors import TrainingError
from distill.models.family import ModelFamily, Objective, StepFacts
from distill.training.metrics import MetricsCallback, StepMetrics, TrainingNotice, VQStepMetrics
from distill.training.speed import Speed

#: Seconds between two reads of the losses from the device.
_READ_INTERVAL_S = 0.1
#: Steps in a row without a finite loss and gradient after which a run ends.
NON_FINITE_LIMIT = 50


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the total loss: the one place where terms and weights meet."""
    parts = [weights[name] * term for name, term in terms.items()]
    return torch.stack([part.float() for part in parts]).sum()


def features_of(family: ModelFamily, batch: Tensor, speed: Speed, device: torch.device) -> Tensor:
    """Return a batch's features on the device: a waveform batch ``[B, 1, N]`` is turned into them."""
    moved = batch.to(device, non_blocking=True)
    return speed.layout(family.features(moved) if moved.ndim == 3 else moved)


@contextmanager
def step_randomness(seed: int, epoch: int, step: int, device: torch.device) -> Iterator[None]:
    """Make all random draws inside the block a pure function of seed, epoch and step.

    A resumed run then needs no random stream restored, and nobody else's draws can disturb a run.
    """
    state = np.random.SeedSequence([seed, epoch, step]).generate_state(2, np.uint32)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(int(state[0]) << 32 | int(state[1]))
        yield


class TrainingStep:
    """A network, its optimizer, and the rule that a step which is not finite changes nothing.

    Parameters
    ----------
    family, model, optimizer
        What is trained.
    clip_norm
        Longest gradient (L2 norm) that is followed.
    speed
        Number format and layout.
    """

    def __init__(
        self, family: ModelFamily, model: nn.Module, optimizer: Optimizer, clip_norm: float, speed: Speed
    ) -> None:
        self.family, self.model, self.optimizer, self.speed = family, model, optimizer, speed
        self._clip_norm = clip_norm
        self._trained = [p for group in optimizer.param_groups for p in group["params"]]
        self._fused = all(group.get("fused") for group in optimizer.param_groups)

    def __call__(self, features: Tensor, weights: Mapping[str, float], step: int) -> tuple[Objective, Tensor, Tensor]:
        """Take a step; return the objective, the total loss, and whether the step was left out (a device bool)."""
        running = list(self.model.buffers())
        before = [b.clone() for b in running]
        with self.speed.autocast(features.device):
            objective = self.family.objective(self.model, features, step)
        total = weighted_sum(objective.terms, weights)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self._trained, self._clip_norm)
        left_out = ~(torch.isfinite(total.detach()) & torch.isfinite(norm))
        self._update(left_out)
        with torch.no_grad():
            for now, then in zip(running, before, strict=True):
                now.copy_(torch.where(left_out, then, now))
        return objective, total.detach(), left_out

    def _update(self, left_out: Tensor) -> None:
        """Update the weights unless the step is left out.

        A fused optimizer takes that word as a tensor, as a gradient scaler gives it, so that a GPU is not waited
        for at each step; for any other the answer is read.
        """
        if self._fused:
            self.optimizer.grad_scale = None  # type: ignore[attr-defined]
            self.optimizer.found_inf = left_out.float()  # type: ignore[attr-defined]
            self.optimizer.step()
            del self.optimizer.grad_scale, self.optimizer.found_inf  # type: ignore[attr-defined]
        elif not bool(left_out):
            self.optimizer.step()


@dataclass
class _Unread:
    """A step whose losses still lie on the device."""

    step: int
    values: Tensor
    learning_rate: float
    detail: Any


@dataclass
class StepMeter:
    """Reads losses about ten times a second, several steps at once, and hands out the steps' events in order.

    Attributes
    ----------
    family, epoch, total_steps, weights
        What the events say beside the losses.
    on_step
        Takes each step's event.
    on_notice
        Takes what the user should know of steps that were left out.
    non_finite_run
        Steps left out in a row so far, carried over from epoch to epoch.
    """

    family: ModelFamily
    epoch: int
    total_steps: int
    weights: Mapping[str, float]
    on_step: Callable[[StepMetrics | VQStepMetrics], None]
    on_notice: Callable[[TrainingNotice], None]
    non_finite_run: int = 0
    totals: dict[str, float] = field(default_factory=dict)
    counted: int = 0
    _unread: list[_Unread] = field(default_factory=list)
    _read_at: float = field(default_factory=time.perf_counter)

    def add(self, step: int, objective: Objective, total: Tensor, left_out: Tensor, learning_rate: float) -> None:
        """Note a step; read the device when the last time is long enough ago."""
        values = torch.stack([total, left_out.float(), *(t.detach().float() for t in objective.terms.values())])
        self._unread.append(_Unread(step, values, learning_rate, objective.detail))
        self._names = tuple(objective.terms)
        if time.perf_counter() - self._read_at >= _READ_INTERVAL_S:
            self.read()

    def read(self) -> None:
        """Read what is outstanding and hand it out.

        Raises
        ------
        TrainingError
            `NON_FINITE_LIMIT` steps in a row were left out.
        """
        if not self._unread:
            return
        rows = torch.stack([u.values for u in self._unread]).tolist()
        now = time.perf_counter()
        took, self._read_at = (now - self._read_at) / len(rows), now
        unread, self._unread = self._unread, []
        for item, row in zip(unread, rows, strict=True):
            self._hand_out(item, row, took)

    def _hand_out(self, item: _Unread, row: list[float], took: float) -> None:
        terms = dict(zip(self._names, row[2:], strict=True))
        left_out = bool(row[1])
        if not left_out:
            for name, value in {"train_loss": row[0], **terms}.items():
                self.totals[name] = self.totals.get(name, 0.0) + value
            self.counted += 1
        facts = StepFacts(
            self.epoch, item.step, self.total_steps, row[0], terms, self.weights, item.learning_rate, took, item.detail
        )
        self.on_step(self.family.step_event(facts))
        self._watch(left_out, item.step)

    def _watch(self, left_out: bool, step: int) -> None:
        self.non_finite_run = self.non_finite_run + 1 if left_out else 0
        if self.non_finite_run == 1:
            self.on_notice(
                TrainingNotice(
                    "non-finite",
                    f"Epoch {self.epoch}, step {step}: the loss or its gradient was not a finite number. "
                    "The step was left out and training goes on.",
                )
            )
        if self.non_finite_run >= NON_FINITE_LIMIT:
            raise TrainingError(
                f"{NON_FINITE_LIMIT} steps in a row had no finite loss, so the training was ended; the last good "
                "checkpoint is kept. Lower the learning rate, or set the precision to float32, and start again."
            )

    def means(self) -> dict[str, float]:
        """Return the mean of the total (``train_loss``) and of each term over the steps that counted."""
        if not self.counted:
            return {name: math.nan for name in ("train_loss", *getattr(self, "_names", ()))}
        return {name: value / self.counted for name, value in self.totals.items()}


def train_steps(
    step: TrainingStep,
    batches: Iterable[Tensor],
    meter: StepMeter,
    device: torch.device,
    seed: int = 0,
    first_step: int = 0,
    after_step: Callable[[], None] | None = None,
    cancel_event: threading.Event | None = None,
) -> int:
    """Train on batches; return how many steps of the epoch are done.

    Parameters
    ----------
    step
        Takes the steps.
    batches
        Waveforms ``[B, 1, N]`` or features ``[B, C, F, T]``.
    meter
        Takes the losses.
    device
        Where the network is.
    seed, first_step
        Seed of the random draws, and the number of the first step within the epoch.
    after_step
        Called after each step: moves the schedule on.
    cancel_event
        Ends the epoch before the next step.
    """
    step.model.train()
    done = first_step
    for number, batch in enumerate(batches, first_step):
        if cancel_event is not None and cancel_event.is_set():
            break
        rate = float(step.optimizer.param_groups[0]["lr"])
        with step_randomness(seed, meter.epoch, number, device):
            features = features_of(step.family, batch, step.speed, device)
            objective, total, left_out = step(features, meter.weights, number)
        if after_step is not None:
            after_step()
        done = number + 1
        meter.add(number, objective, total, left_out, rate)
    meter.read()
    return done


@dataclass(frozen=True)
class Measured:
    """What `validate` found: the total, each term, and what the family watches."""

    loss: float
    terms: dict[str, float]
    figures: dict[str, Any]


@torch.no_grad()
def validate(
    family: ModelFamily,
    model: nn.Module,
    batches: Iterable[Tensor],
    weights: Mapping[str, float],
    device: torch.device,
    speed: Speed,
    cancel_event: threading.Event | None = None,
) -> Measured | None:
    """Measure the objective in eval mode, each chunk counting the same; None when cancelled.

    The network is left in the mode in which it was.
    """
    was_training = model.training
    model.eval()
    sums: list[Tensor] = []
    details: list[Any] = []
    names: tuple[str, ...] = ()
    chunks = 0
    try:
        for batch in batches:
            if cancel_event is not None and cancel_event.is_set():
                return None
            features = features_of(family, batch, speed, device)
            with speed.autocast(device):
                objective = family.objective(model, features, None)
            names = tuple(objective.terms)
            sums.append(torch.stack([t.detach().double() for t in objective.terms.values()]) * len(batch))
            details.append(objective.detail)
            chunks += len(batch)
        terms = dict(zip(names, (torch.stack(sums).sum(0) / max(chunks, 1)).tolist(), strict=True)) if sums else {}
        loss = sum(weights[name] * value for name, value in terms.items()) if terms else math.nan
        return Measured(loss, terms, family.validation_figures(details) if details else {})
    finally:
        model.train(was_training)


def run_adapter_epoch(
    family: ModelFamily,
    weights: Mapping[str, float],
    model: nn.Module,
    loader: Iterable[Tensor],
    optimizer: Optimizer,
    device: torch.device | str,
    clip_norm: float,
    callback: MetricsCallback | None = None,
    cancel_event: threading.Event | None = None,
) -> dict[str, float]:
    """Train for one epoch outside a run; return the mean total and terms of its steps."""
    target = torch.device(device)
    batches = list(loader) if not hasattr(loader, "__len__") else loader
    tell = callback or (lambda event: None)
    meter = StepMeter(family, 0, len(batches), weights, tell, tell)  # type: ignore[arg-type]
    step = TrainingStep(family, model, optimizer, clip_norm, Speed())
    train_steps(step, batches, meter, target, seed=torch.initial_seed(), cancel_event=cancel_event)
    return meter.means()


def train_epoch(
    model: nn.Module,
    train_loader: Iterable[Tensor],
    optimizer: Optimizer,
    spectrogram: AudioSpectrogram,
    kl_weight: float,
    device: torch.device | str,
    gradient_clip_norm: float,
    callback: MetricsCallback | None = None,
    cancel_event: threading.Event | None = None,
) -> dict[str, float]:
    """Train a VAE for one epoch with a loop of one's own; return ``train_loss``, ``recon_loss`` and ``kl_loss``.

    Parameters
    ----------
    model, optimizer
        What is trained.
    train_loader
        Batches of waveforms ``[B, 1, N]`` or of features ``[B, C, F, T]``.
    spectrogram
        Representation of the family that the model belongs to.
    kl_weight
        Weight of the KL term in this epoch.
    device
        Where the model is.
    gradient_clip_norm
        Longest gradient that is followed.
    callback
        Takes each step's `StepMetrics`.
    cancel_event
        Ends the epoch before the next step.

    Raises
    ------
    TrainingError
        Fifty steps in a row had no finite loss.
    """
    family = _adapter_family(spectrogram)
    weights = {"recon_loss": 1.0, "kl_loss": kl_weight}
    return run_adapter_epoch(
        family, weights, model, train_loader, optimizer, device, gradient_clip_norm, callback, cancel_event
    )


def validate_epoch(
    model: nn.Module,
    val_loader: Iterable[Tensor],
    spectrogram: AudioSpectrogram,
    kl_weight: float,
    device: torch.device | str,
) -> dict[str, float]:
    """Validate a VAE; return ``val_loss``, ``val_recon_loss``, ``val_kl_loss`` and the raw ``kl_divergence``."""
    weights = {"recon_loss": 1.0, "kl_loss": kl_weight}
    found = validate(_adapter_family(spectrogram), model, val_loader, weights, torch.device(device), Speed())
    assert found is not None
    return {
        "val_loss": found.loss,
        "val_recon_loss": found.terms.get("recon_loss", math.nan),
        "val_kl_loss": found.terms.get("kl_loss", math.nan),
        "kl_divergence": float(found.figures.get("kl_divergence", math.nan)),
    }


def _adapter_family(spectrogram: AudioSpectrogram) -> ModelFamily:
    from distill.models.vae_family import MelVAEFamily
    from distill.training.config import TrainingConfig

    return MelVAEFamily(TrainingConfig(), spectrogram)
