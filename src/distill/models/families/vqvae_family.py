"""The residual-VQ autoencoder as a family: network, loss terms, codebook health, sounds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from distill.audio.spectrogram import AudioSpectrogram
from distill.config.training import VQVAEConfig
from distill.events import (
    LOW_UTILIZATION,
    EpochMetrics,
    TrainingNotice,
    VQEpochMetrics,
    VQStepMetrics,
    utilization_warnings,
)
from distill.metrics_history import VQMetricsHistory
from distill.models.families.family import EpochResult, MelFeatures, Objective, StepResult
from distill.models.vqvae import ConvVQVAE, vqvae_loss

#: Training steps between two measurements of codebook health.
HEALTH_INTERVAL = 10
#: Principal components of the grid that the prior describes.
_COMPONENTS = 96
#: Codes keep more of a sound than latents do: all of the detail of others is more than they have lost.
_COPY_DETAIL = 0.5


class VQVAEFamily(MelFeatures):
    """Log-mel features, `ConvVQVAE`, reconstruction and commitment.

    Parameters
    ----------
    config
        Settings of the run.
    spectrogram
        Representation; by default 128 mel bands and 94 frames a second.
    """

    key = "vqvae"
    history_type = VQMetricsHistory
    prior_components: int | None = _COMPONENTS
    copy_detail: float = _COPY_DETAIL

    def __init__(self, config: VQVAEConfig, spectrogram: AudioSpectrogram | None = None) -> None:
        super().__init__(spectrogram)
        self.config = config

    def build(self) -> ConvVQVAE:
        """Return a new network for chunks of the configured length."""
        c = self.config
        return ConvVQVAE(
            codebook_dim=c.codebook_dim,
            codebook_size=c.codebook_size,
            num_quantizers=c.num_quantizers,
            decay=c.decay,
            commitment_weight=c.commitment_weight,
            threshold_ema_dead_code=c.threshold_ema_dead_code,
            kmeans_init=c.kmeans_init,
            kmeans_iters=c.kmeans_iters,
            dropout=c.dropout,
            input_shape=self.feature_shape(c.chunk_duration_s),
        )

    def fit_statistics(self, model: nn.Module, features: Tensor) -> None:
        """Set the model's feature mean, spread, patch axes and first codebooks."""
        assert isinstance(model, ConvVQVAE)
        model.fit_statistics(features)

    def objective(self, model: nn.Module, features: Tensor, step: int | None = None) -> Objective:
        """Return ``recon_loss`` and ``commit_loss``, measured on standardised features; health where it is due."""
        assert isinstance(model, ConvVQVAE)
        tokens = model.tokens(features)
        recon, indices, commit_loss = model.through_codes(tokens)
        _, recon_loss, _ = vqvae_loss(model.standardize(recon), model.standardize(features), commit_loss, 0.0)
        wanted = step is None or step % HEALTH_INTERVAL == 0
        return Objective(
            {"recon_loss": recon_loss, "commit_loss": commit_loss},
            (model, indices) if wanted else None,
            None if step is None else (tokens.detach().flatten(1), None),
        )

    def weights(self, progress: float) -> dict[str, float]:
        """Return the weight of the reconstruction (1) and of the commitment."""
        return {"recon_loss": 1.0, "commit_loss": self.config.commitment_weight}

    def validation_figures(self, details: Sequence[Any]) -> dict[str, Any]:
        """Return codebook health over the whole set."""
        model = details[0][0]
        return {"codebook_health": _health(model, torch.cat([indices for _, indices in details]))}

    def step_event(self, facts: StepResult) -> VQStepMetrics:
        """Return the event of a step; the first step of a run has no health, its codebooks being new."""
        measured = facts.detail is not None and (facts.epoch, facts.step) != (0, 0)
        return facts.event(
            VQStepMetrics,
            recon_loss=facts.terms["recon_loss"],
            commit_loss=facts.terms["commit_loss"],
            commitment_weight=facts.weights["commit_loss"],
            codebook_health=_health(*facts.detail) if measured else None,
            prior_loss=facts.terms.get("prior_loss"),
        )

    def epoch_event(self, facts: EpochResult) -> VQEpochMetrics:
        """Return the event of an epoch."""
        health = facts.figures["codebook_health"]
        return facts.event(
            VQEpochMetrics,
            val_recon_loss=facts.val_terms["recon_loss"],
            val_commit_loss=facts.val_terms["commit_loss"],
            codebook_health=health,
            utilization_warnings=utilization_warnings(health) if facts.epoch > 0 else [],
        )

    def warnings(self, event: EpochMetrics | VQEpochMetrics) -> list[TrainingNotice]:
        """Warn of codebooks that are hardly used."""
        assert isinstance(event, VQEpochMetrics)
        if not event.utilization_warnings:
            return []
        tokens = int(next(iter((event.codebook_health or {}).values()), {}).get("tokens", 0))
        return [
            TrainingNotice(
                "codebook",
                f"{'; '.join(event.utilization_warnings)}. Measured on {tokens} codes of the held-out sounds. "
                f"A smaller codebook would do, or more and more varied sounds would fill it (the aim is over "
                f"{LOW_UTILIZATION:.0%}).",
            )
        ]

    def checkpoint_fields(self, progress: float, event: EpochMetrics | VQEpochMetrics | None) -> dict[str, Any]:
        """Return the commitment weight and the codebook health of the epoch."""
        health = event.codebook_health if isinstance(event, VQEpochMetrics) else None
        return {"commitment_weight": self.config.commitment_weight, "codebook_health": health}

    def model_file_fields(self, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings under their version 2 name, and the codebook health."""
        return {
            "vqvae_config": checkpoint["training_config"],
            "codebook_health_snapshot": checkpoint.get("codebook_health"),
        }

    def point_dim(self, model: nn.Module) -> int:
        """Return the numbers of the grid."""
        assert isinstance(model, ConvVQVAE)
        return math.prod(model.grid) * model.codebook_dim

    def points(self, model: nn.Module, features: Tensor) -> Tensor:
        """Return the vectors of the encoder's grid, before they are quantized, in one row."""
        assert isinstance(model, ConvVQVAE)
        return model.tokens(features).flatten(1)

    def posterior(self, model: nn.Module, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the points, which are the same each time."""
        return self.points(model, features), None

    def from_points(self, model: nn.Module, points: Tensor) -> Tensor:
        """Return the features decoded from the codes nearest to the grid's vectors.

        Codes have no derivatives: those of the vectors are passed through the quantizer as they are (the
        straight-through estimator of van den Oord et al. 2017, "Neural Discrete Representation Learning").
        """
        assert isinstance(model, ConvVQVAE)
        tokens = points.view(len(points), -1, model.codebook_dim)
        return model.decode(model.quantize(tokens), tokens if tokens.requires_grad else None)

    def reconstruct(self, model: nn.Module, features: Tensor) -> Tensor:
        """Return the features decoded from the codes."""
        assert isinstance(model, ConvVQVAE)
        return model.decode(model.encode(features))


def _health(model: ConvVQVAE, indices: Tensor) -> dict[str, dict[str, float]]:
    """Return each level's health, with the number of codes that it was measured on: few codes look like dead ones."""
    tokens = indices.shape[0] * indices.shape[1]
    health = model.quantizer.get_codebook_utilization(indices)
    return {level: {**figures, "tokens": tokens} for level, figures in health.items()}
