"""The Complex VAE as a family: two channels of features, and loss terms that know what each channel is."""

import torch
from torch import Tensor, nn

from distill.audio.complex_spectrogram import ComplexSpectrogram
from distill.audio.griffin_lim import KnownSamples
from distill.audio.stft_and_mel import CENTRE
from distill.config.spectrogram import SpectrogramConfig
from distill.config.training import TrainingConfig
from distill.models.families.family import Objective
from distill.models.families.vae_family import VariationalFamily
from distill.models.losses import kl_loss, reconstruction_loss, spectral_distance, weighted_error
from distill.models.vae import ConvVAE

#: Width of each stride-2 layer, in widths of the first.
_WIDTHS = (1, 2, 4, 8, 16)
#: Spread of the channels inside the network.  The frequencies of noise are noise: with equal spreads the latents are
#: spent on them (9.0 dB of mel distance on held-out sounds after the fit alone, 7.3 dB with these; one corpus).
IMPORTANCE = (1.0, 0.25)


class ComplexVAEFamily(VariationalFamily):
    """Log-magnitude and instantaneous frequency, `ConvVAE`, a loss term for each, and the KL.

    Parameters
    ----------
    config
        Settings of the run.
    spectrogram
        Representation; by default the one that the settings describe.
    """

    key = "complex_vae"

    def __init__(self, config: TrainingConfig, spectrogram: ComplexSpectrogram | None = None) -> None:
        self.config = config
        self.spectrogram = spectrogram or ComplexSpectrogram(config.complex_spectrogram)
        self.spectrogram_config: SpectrogramConfig = self.spectrogram.config

    def build(self) -> ConvVAE:
        """Return a new network for chunks of the configured length."""
        geometry, config = self.spectrogram_config, self.config
        frames = geometry.frames(round(config.chunk_duration_s * geometry.sample_rate))
        channels = tuple(config.network_width * factor for factor in _WIDTHS)
        return ConvVAE(config.latent_dim, config.regularization.dropout, 2, channels, (geometry.n_mels, frames))

    def fit_statistics(self, model: nn.Module, features: Tensor) -> None:
        """Set mean and spread of each channel, and the principal axes; see `MelVAEFamily.fit_statistics`.

        The noise variance is that of the magnitudes, which the axes are there for.
        """
        assert isinstance(model, ConvVAE)
        model.fit_statistics(features, self.config.kl_weight_max * features[0, 0].numel(), IMPORTANCE)

    def feature_key(self) -> str:
        """Return the representation's name, version and settings."""
        return f"complex mel v1 {self.spectrogram.settings!r}"

    def features(self, waveform: Tensor) -> Tensor:
        """Return features ``[B, 2, F, T]``."""
        return self.spectrogram.waveform_to_complex_mel(waveform)

    def to_waveform(self, features: Tensor, samples: int | None = None, known: KnownSamples | None = None) -> Tensor:
        """Return waveforms whose phases come from the frequencies."""
        return self.spectrogram.complex_mel_to_waveform(features, samples, known)

    def reconstruction_weights(self) -> dict[str, float]:
        """Return the weights of the magnitude, frequency and spectral terms."""
        config = self.config
        return {
            "magnitude_loss": config.magnitude_weight,
            "frequency_loss": config.frequency_weight,
            "spectral_loss": config.spectral_weight,
        }

    def objective(self, model: nn.Module, features: Tensor, step: int | None = None) -> Objective:
        """Return a term for each channel, one for the energy, the KL, and the posterior.

        Magnitudes are compared where they are standardised; frequencies in distances between bands, each counting by
        the (linear) magnitude of its band; energy as energy, over patches of growing size: errors of single points
        that a listener does not hear cancel out in it, and energy that is lost by averaging logarithms does not.
        """
        assert isinstance(model, ConvVAE)
        (recon, mu, logvar), clean = model.forward_with_posterior(features)
        output, target = model.standardize(recon), model.standardize(features)
        level = features[:, 0].float() - CENTRE
        terms = {
            "magnitude_loss": reconstruction_loss(output[:, 0], target[:, 0]),
            "frequency_loss": weighted_error(recon[:, 1], features[:, 1], torch.pow(10.0, level)),
            "spectral_loss": spectral_distance(recon[:, 0].float() - CENTRE, level),
            "kl_loss": kl_loss(mu, logvar, self.config.free_bits),
        }
        return self.with_posterior(terms, mu, logvar, clean, step)
