"""Epochs outside of a run, for scripts with a loop of their own: they call `distill.training.steps.epoch`."""

import math
import threading
from collections.abc import Iterable, Mapping, Sized
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from distill.audio.complex_spectrogram import ComplexSpectrogram
from distill.audio.spectrogram import AudioSpectrogram
from distill.events import Event, MetricsCallback, VQStepMetrics
from distill.models.families import family_of
from distill.models.families.complex_vae_family import ComplexVAEFamily
from distill.models.families.family import ModelFamily
from distill.models.families.vae_family import MelVAEFamily
from distill.models.families.vqvae_family import VQVAEFamily
from distill.training.compute_plan import ComputePlan
from distill.training.run import EventSink
from distill.training.steps.epoch import train_steps, validate
from distill.training.steps.loss_reader import LossReader
from distill.training.steps.training_step import TrainingStep

VAEFamily = MelVAEFamily | ComplexVAEFamily


def _standalone_epoch(
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
    batches, count = _counted(loader)
    emit = EventSink(callback)
    meter = LossReader(family, 0, count, weights, emit, emit)
    step = TrainingStep(family, model, optimizer, clip_norm, ComputePlan())
    # Drawn from torch's own stream: the same after the same `torch.manual_seed`, and another for each epoch.
    seed = int(torch.randint(2**62, ()))
    train_steps(step, batches, meter, target, seed, cancel_event=cancel_event)
    return meter.means()


def _counted(loader: Iterable[Tensor]) -> tuple[Iterable[Tensor], int]:
    """Return batches and how many there are; only those that cannot be counted are read at once."""
    if isinstance(loader, Sized):
        with suppress(TypeError):  # a loader of a stream has a length by its type alone
            return loader, len(loader)
    batches = list(loader)
    return batches, len(batches)


def train_epoch(
    model: nn.Module,
    train_loader: Iterable[Tensor],
    optimizer: Optimizer,
    spectrogram: AudioSpectrogram | ComplexSpectrogram,
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
        Maximum gradient norm.
    callback
        Takes each step's `StepMetrics`.
    cancel_event
        Ends the epoch before the next step.

    Raises
    ------
    TrainingError
        Fifty steps in a row had no finite loss.
    """
    family = _variational(model, spectrogram)
    weights = family.weights(1.0) | {"kl_loss": kl_weight}
    means = _standalone_epoch(
        family, weights, model, train_loader, optimizer, device, gradient_clip_norm, callback, cancel_event
    )
    return {"train_loss": means["train_loss"], **_terms(family, means)}


def validate_epoch(
    model: nn.Module,
    val_loader: Iterable[Tensor],
    spectrogram: AudioSpectrogram | ComplexSpectrogram,
    kl_weight: float,
    device: torch.device | str,
) -> dict[str, float]:
    """Validate a VAE; return ``val_loss``, ``val_recon_loss``, ``val_kl_loss`` and the raw ``kl_divergence`` (nat).

    Parameters
    ----------
    model
        What is validated.
    val_loader
        Batches of waveforms ``[B, 1, N]`` or of features ``[B, C, F, T]``.
    spectrogram
        Representation of the family that the model belongs to.
    kl_weight
        Weight of the KL term in ``val_loss``.
    device
        Where the model is.
    """
    family = _variational(model, spectrogram)
    weights = family.weights(1.0) | {"kl_loss": kl_weight}
    validation = validate(family, model, val_loader, weights, torch.device(device), ComputePlan())
    assert validation is not None
    return {
        "val_loss": validation.loss,
        **{f"val_{name}": value for name, value in _terms(family, validation.terms).items()},
        "kl_divergence": float(validation.figures.get("kl_divergence", math.nan)),
    }


def _variational(model: nn.Module, spectrogram: AudioSpectrogram | ComplexSpectrogram) -> VAEFamily:
    family = family_of(model, spectrogram)
    if not isinstance(family, MelVAEFamily | ComplexVAEFamily):
        raise ValueError(f"{type(model).__name__} has no KL: use train_vqvae_epoch and validate_vqvae_epoch.")
    return family


def _quantizing(model: nn.Module, spectrogram: AudioSpectrogram) -> VQVAEFamily:
    family = family_of(model, spectrogram)
    if not isinstance(family, VQVAEFamily):
        raise ValueError(f"{type(model).__name__} has no codebooks: use train_epoch and validate_epoch.")
    return family


def _terms(family: VAEFamily, terms: Mapping[str, float]) -> dict[str, float]:
    """Return ``recon_loss`` and ``kl_loss``, not a number where no step was taken."""
    if "kl_loss" not in terms:
        return {"recon_loss": math.nan, "kl_loss": math.nan}
    return {"recon_loss": family.reconstruction(terms), "kl_loss": terms["kl_loss"]}


def train_vqvae_epoch(
    model: nn.Module,
    train_loader: Iterable[Tensor],
    optimizer: Optimizer,
    spectrogram: AudioSpectrogram,
    commitment_weight: float,
    device: torch.device | str,
    gradient_clip_norm: float,
    callback: MetricsCallback | None = None,
    cancel_event: threading.Event | None = None,
) -> dict[str, Any]:
    """Train a VQ-VAE for one epoch; return ``train_loss``, ``recon_loss``, ``commit_loss`` and ``codebook_health``.

    The health is the last that a step measured, and empty where none did: every tenth step does, but not the first.

    Parameters
    ----------
    model, train_loader, optimizer, spectrogram, device, gradient_clip_norm, callback, cancel_event
        As in `train_epoch`.
    commitment_weight
        Weight of the commitment term.

    Raises
    ------
    TrainingError
        Fifty steps in a row had no finite loss.
    """
    family = _quantizing(model, spectrogram)
    weights = {"recon_loss": 1.0, "commit_loss": commitment_weight}
    measured: list[Any] = [{}]

    def on_event(event: Event) -> None:
        if isinstance(event, VQStepMetrics) and event.codebook_health is not None:
            measured[0] = event.codebook_health
        if callback is not None:
            callback(event)

    means = _standalone_epoch(
        family, weights, model, train_loader, optimizer, device, gradient_clip_norm, on_event, cancel_event
    )
    return {**means, "codebook_health": measured[0]}


def validate_vqvae_epoch(
    model: nn.Module,
    val_loader: Iterable[Tensor],
    spectrogram: AudioSpectrogram,
    commitment_weight: float,
    device: torch.device | str,
) -> dict[str, Any]:
    """Validate a VQ-VAE; return ``val_loss``, ``val_recon_loss``, ``val_commit_loss`` and ``codebook_health``.

    Parameters
    ----------
    model, val_loader, spectrogram, device
        As in `validate_epoch`.
    commitment_weight
        Weight of the commitment term in ``val_loss``.
    """
    family = _quantizing(model, spectrogram)
    weights = {"recon_loss": 1.0, "commit_loss": commitment_weight}
    validation = validate(family, model, val_loader, weights, torch.device(device), ComputePlan())
    assert validation is not None
    return {
        "val_loss": validation.loss,
        "val_recon_loss": validation.terms.get("recon_loss", math.nan),
        "val_commit_loss": validation.terms.get("commit_loss", math.nan),
        "codebook_health": validation.figures.get("codebook_health", {}),
    }
