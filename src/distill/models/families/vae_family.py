"""The variational autoencoders as families: network, loss terms, what is watched, sounds."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from distill.audio.spectrogram import AudioSpectrogram
from distill.config.training import TrainingConfig
from distill.events import (
    ACTIVE_LATENT_KL,
    COLLAPSE_KL,
    EpochMetrics,
    StepMetrics,
    TrainingNotice,
    VQEpochMetrics,
)
from distill.metrics_history import MetricsHistory
from distill.models.families.family import EpochResult, MelFeatures, Objective, StepResult
from distill.models.losses import get_kl_weight, kl_per_latent, vae_loss
from distill.models.vae import ConvVAE

#: Channels behind each layer of the Mel VAE's encoder.
CHANNELS = (32, 64, 128, 256)


class VariationalFamily:
    """What the families of a `ConvVAE` have in common: everything but features and reconstruction terms."""

    history_type = MetricsHistory
    config: TrainingConfig
    prior_components: int | None = None
    copy_detail: float = 1.0

    def reconstruction_weights(self) -> dict[str, float]:
        """Return the terms of the reconstruction loss and their weights: here one, of weight 1."""
        return {"recon_loss": 1.0}

    def weights(self, progress: float) -> dict[str, float]:
        """Return the weights of the reconstruction terms, and of the KL, which warms up."""
        kl = get_kl_weight(progress, 1.0, self.config.kl_warmup_fraction, self.config.kl_weight_max)
        return self.reconstruction_weights() | {"kl_loss": kl}

    def reconstruction(self, terms: Mapping[str, float]) -> float:
        """Return the weighted reconstruction terms as the one number that events have."""
        return sum(weight * terms[name] for name, weight in self.reconstruction_weights().items())

    @staticmethod
    def with_posterior(
        terms: Mapping[str, Tensor], mu: Tensor, logvar: Tensor, clean: tuple[Tensor, Tensor], step: int | None
    ) -> Objective:
        """Return the objective of a batch: in training with the data of the prior, in validation with the posterior."""
        if step is None:
            return Objective(terms, (mu, logvar))
        return Objective(terms, None, (clean[0].detach(), clean[1].detach().exp()))

    def validation_figures(self, details: Sequence[Any]) -> dict[str, Any]:
        """Return the raw KL of the set and the number of active latents."""
        mu = torch.cat([mu for mu, _ in details])
        logvar = torch.cat([logvar for _, logvar in details])
        per_latent = kl_per_latent(mu, logvar)
        return {
            "kl_divergence": float(per_latent.sum()),
            "active_latents": int((per_latent > ACTIVE_LATENT_KL).sum()),
        }

    def step_event(self, facts: StepResult) -> StepMetrics:
        """Return the event of a step."""
        return facts.event(
            StepMetrics,
            recon_loss=self.reconstruction(facts.terms),
            kl_loss=facts.terms["kl_loss"],
            kl_weight=facts.weights["kl_loss"],
            prior_loss=facts.terms.get("prior_loss"),
        )

    def epoch_event(self, facts: EpochResult) -> EpochMetrics:
        """Return the event of an epoch."""
        return facts.event(
            EpochMetrics,
            val_recon_loss=self.reconstruction(facts.val_terms),
            val_kl_loss=facts.val_terms["kl_loss"],
            kl_divergence=facts.figures["kl_divergence"],
            active_latents=facts.figures["active_latents"],
        )

    def warnings(self, event: EpochMetrics | VQEpochMetrics) -> list[TrainingNotice]:
        """Warn of a collapsed posterior."""
        assert isinstance(event, EpochMetrics)
        if not event.kl_divergence < COLLAPSE_KL:
            return []
        return [
            TrainingNotice(
                "collapse",
                "The model begins to ignore its sounds, and new ones will all be alike (posterior collapse: the KL of "
                f"held-out sounds is {event.kl_divergence:.2f}, under {COLLAPSE_KL}). Lower the KL weight or raise the "
                "free bits.",
            )
        ]

    def checkpoint_fields(self, progress: float, event: EpochMetrics | VQEpochMetrics | None) -> dict[str, Any]:
        """Return the KL weight."""
        return {"kl_weight": self.weights(progress)["kl_loss"]}

    def model_file_fields(self, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
        """Return nothing: version 1 has the common keys."""
        return {}

    def point_dim(self, model: nn.Module) -> int:
        """Return the number of latents."""
        assert isinstance(model, ConvVAE)
        return model.latent_dim

    def points(self, model: nn.Module, features: Tensor) -> Tensor:
        """Return the posterior's mean."""
        assert isinstance(model, ConvVAE)
        return model.encode(features)[0]

    def posterior(self, model: nn.Module, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the posterior's mean and variance."""
        assert isinstance(model, ConvVAE)
        mu, logvar = model.encode(features)
        return mu, logvar.exp()

    def from_points(self, model: nn.Module, points: Tensor) -> Tensor:
        """Return the decoded latents."""
        assert isinstance(model, ConvVAE)
        return model.decode(points)

    def reconstruct(self, model: nn.Module, features: Tensor) -> Tensor:
        """Return the features decoded from the posterior's mean."""
        return self.from_points(model, self.points(model, features))


class MelVAEFamily(MelFeatures, VariationalFamily):
    """Log-mel features, `ConvVAE`, reconstruction and KL.

    Parameters
    ----------
    config
        Settings of the run.
    spectrogram
        Representation; by default 128 mel bands and 94 frames a second.
    """

    key = "vae"

    def __init__(self, config: TrainingConfig, spectrogram: AudioSpectrogram | None = None) -> None:
        super().__init__(spectrogram)
        self.config = config

    def build(self) -> ConvVAE:
        """Return a new network for chunks of the configured length."""
        shape = self.feature_shape(self.config.chunk_duration_s)
        return ConvVAE(self.config.latent_dim, self.config.regularization.dropout, 1, CHANNELS, shape)

    def fit_statistics(self, model: nn.Module, features: Tensor) -> None:
        """Set the model's feature mean, spread and principal axes.

        The loss is a mean over the numbers of a chunk plus ``kl_weight`` times the KL in nat, so a Gaussian
        likelihood with the same optimum has the noise variance ``kl_weight`` times that number.
        """
        assert isinstance(model, ConvVAE)
        model.fit_statistics(features, self.config.kl_weight_max * features[0].numel())

    def objective(self, model: nn.Module, features: Tensor, step: int | None = None) -> Objective:
        """Return ``recon_loss`` and ``kl_loss``, measured on standardised features, and the posterior."""
        assert isinstance(model, ConvVAE)
        (recon, mu, logvar), clean = model.forward_with_posterior(features)
        target = model.standardize(features)
        _, recon_loss, kl_loss = vae_loss(model.standardize(recon), target, mu, logvar, 0.0, self.config.free_bits)
        return self.with_posterior({"recon_loss": recon_loss, "kl_loss": kl_loss}, mu, logvar, clean, step)
