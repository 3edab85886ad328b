"""Geometry of the representations: sizes and ranges, without torch, so that the window can show them.

The representations themselves are in `distill.audio.spectrogram` and `distill.audio.complex_spectrogram`.
"""

from dataclasses import dataclass

from distill.config.setting_fields import Validated, setting
from distill.errors import ConfigurationError


@dataclass(frozen=True)
class SpectrogramConfig(Validated):
    """Geometry of a spectrogram.

    Attributes
    ----------
    sample_rate
        Hz.
    n_fft, hop_length
        Samples.
    n_mels
        Bands of the (Slaney) mel scale between ``f_min`` and ``f_max`` (Hz; None: half the sample rate).
    power
        Exponent of the magnitudes that are summed into a band: 1 for magnitude, 2 for power.
    """

    sample_rate: int = setting(48_000, "Sample rate", "Samples a second.", low=8_000, high=192_000, unit="Hz")
    n_fft: int = setting(2048, "Window", "Length of the analysis window.", low=64, high=16_384, unit="samples")
    hop_length: int = setting(512, "Hop", "Distance between windows.", low=16, high=8_192, unit="samples")
    n_mels: int = setting(128, "Bands", "Mel bands.", low=8, high=512)
    f_min: float = setting(0.0, "Lowest frequency", "Lower edge of the lowest band.", low=0.0, high=20_000.0, unit="Hz")
    f_max: float | None = None
    power: float = setting(1.0, "Power", "Exponent of the magnitudes that a band sums.", low=0.5, high=2.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hop_length > self.n_fft // 2:
            raise ConfigurationError(
                f"hop_length must be at most half of n_fft ({self.n_fft // 2}), not {self.hop_length}."
            )
        top = self.sample_rate / 2
        if self.f_max is not None and not (isinstance(self.f_max, (int, float)) and 0 < self.f_max <= top):
            raise ConfigurationError(f"f_max must be a number over 0 and at most {top:g} Hz, not {self.f_max!r}.")
        if self.f_min >= (self.f_max or top):
            raise ConfigurationError(f"f_min must lie under {self.f_max or top:g} Hz, not at {self.f_min:g} Hz.")

    def frames(self, samples: int) -> int:
        """Return the number of frames that ``samples`` samples give."""
        return 1 + samples // self.hop_length

    def samples(self, frames: int) -> int:
        """Return the number of samples that ``frames`` frames stand for: whole seconds where that fits."""
        seconds = round(frames * self.hop_length / self.sample_rate)
        whole = seconds * self.sample_rate
        if whole and self.frames(whole) == frames:
            return whole
        return (frames - 1) * self.hop_length or self.hop_length - 1


@dataclass
class ComplexSpectrogramConfig(Validated):
    """What a user may change of the two-channel representation; the rest of its geometry is that of the mel one."""

    n_fft: int = setting(2048, "Window", "Length of the analysis window.", low=256, high=16_384, unit="samples")
    hop_length: int = setting(512, "Hop", "Distance between windows.", low=64, high=8_192, unit="samples")
    n_mels: int = setting(128, "Bands", "Mel bands.", low=16, high=512)
    masking_threshold: float = setting(
        -60.0, "Masking threshold",
        "Below this level the frequency channel is ignored.",
        low=-120.0, high=-20.0, unit="dB",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        self.geometry()

    def geometry(self) -> SpectrogramConfig:
        """Return the geometry of its bands.

        Raises
        ------
        ConfigurationError
            The sizes do not go together.
        """
        return SpectrogramConfig(n_fft=self.n_fft, hop_length=self.hop_length, n_mels=self.n_mels)
