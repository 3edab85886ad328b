"""Log-mel features: what the mel families have in common."""

from torch import Tensor

from distill.audio.griffin_lim import KnownSamples
from distill.audio.spectrogram import AudioSpectrogram, SpectrogramConfig


class MelFeatures:
    """The representation of a family that learns log-mel spectra.

    Parameters
    ----------
    spectrogram
        Representation; by default 128 mel bands and 94 frames a second.
    """

    def __init__(self, spectrogram: AudioSpectrogram | None = None) -> None:
        self.spectrogram = spectrogram or AudioSpectrogram()
        self.spectrogram_config: SpectrogramConfig = self.spectrogram.config

    def feature_shape(self, chunk_duration_s: float) -> tuple[int, int]:
        """Return bands and frames of a chunk."""
        samples = round(chunk_duration_s * self.spectrogram_config.sample_rate)
        return self.spectrogram_config.n_mels, self.spectrogram_config.frames(samples)

    def feature_key(self) -> str:
        """Return the representation's name, version and geometry."""
        return f"mel v1 {self.spectrogram_config!r}"

    def features(self, waveform: Tensor) -> Tensor:
        """Return log-mel features ``[B, 1, F, T]``."""
        return self.spectrogram.waveform_to_mel(waveform)

    def to_waveform(self, features: Tensor, samples: int | None = None, known: KnownSamples | None = None) -> Tensor:
        """Return waveforms by mel inversion and Griffin-Lim."""
        return self.spectrogram.mel_to_waveform(features, samples, known)
