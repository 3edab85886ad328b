"""The seam that lets one loop train every model family.

The loop knows nothing of mel bands, latents or codebooks.  It asks a family for a network, for features, for *named*
loss terms and their weights, and for the events that tell what happened.  A new family is a class like this, a row in
`distill.config.family_catalog`, and no edit anywhere else.  `MelFeatures` is what the families have in common that
learn log-mel spectra.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn

from distill.audio.griffin_lim import KnownSamples
from distill.audio.spectrogram import AudioSpectrogram, SpectrogramConfig
from distill.config.training import AnyConfig
from distill.events import EpochMetrics, StepMetrics, TrainingNotice, VQEpochMetrics, VQStepMetrics
from distill.metrics_history import AnyHistory

E = TypeVar("E", StepMetrics, VQStepMetrics, EpochMetrics, VQEpochMetrics)


@dataclass(frozen=True)
class Objective:
    """What a family says of a batch.

    Attributes
    ----------
    terms
        Named loss terms (scalars); the loop sums them with the family's weights.
    detail
        Tensors that the family wants back in `ModelFamily.step_event` or `ModelFamily.validation_figures`, or None.
    posterior
        Mean ``[B, P]`` and variance ``[B, P]`` (None: points) of the latents of a training batch, detached: the data
        of the prior.  None in validation.
    """

    terms: Mapping[str, Tensor]
    detail: Any = None
    posterior: tuple[Tensor, Tensor | None] | None = None


@dataclass(frozen=True)
class StepResult:
    """What the loop tells a family of a training step; the fields that all families share are named as in events."""

    epoch: int
    step: int
    total_steps: int
    train_loss: float
    learning_rate: float
    step_time_s: float
    terms: Mapping[str, float]
    weights: Mapping[str, float]
    detail: Any

    def event(self, kind: Callable[..., E], **family_values: Any) -> E:
        """Return an event of the type ``kind``: the shared values, and the ``family_values``."""
        return _family_event(self, ("terms", "weights", "detail"), kind, family_values)


@dataclass(frozen=True)
class EpochResult:
    """What the loop tells a family of an epoch; losses are measured in eval mode with the final weights."""

    epoch: int
    total_epochs: int
    train_loss: float
    val_loss: float
    overfitting_gap: float
    learning_rate: float
    eta_seconds: float
    elapsed_seconds: float
    val_terms: Mapping[str, float]
    figures: Mapping[str, Any]
    new_sound_distance: float | None = None
    closing_seconds: float = 0.0

    def event(self, kind: Callable[..., E], **family_values: Any) -> E:
        """Return an event of the type ``kind``: the shared values, and the ``family_values``."""
        return _family_event(self, ("val_terms", "figures"), kind, family_values)


def _family_event(
    result: object, only_for_family: Sequence[str], kind: Callable[..., E], family_values: Mapping[str, Any]
) -> E:
    shared = {name: value for name, value in vars(result).items() if name not in only_for_family}
    return kind(**shared, **family_values)


class ModelFamily(Protocol):
    """What the loop, the previews and the model files need of a family."""

    @property
    def key(self) -> str:
        """Key in `distill.config.family_catalog`."""

    @property
    def config(self) -> AnyConfig:
        """Settings of the run."""

    @property
    def history_type(self) -> type[AnyHistory]:
        """Type that collects the family's events."""

    @property
    def spectrogram_config(self) -> SpectrogramConfig:
        """Geometry of the features."""

    @property
    def spectrogram(self) -> Any:
        """Representation: an object with a ``config``."""

    def build(self) -> nn.Module:
        """Return a new network, ready to use: every size known, no layer made in a forward pass."""

    def fit_statistics(self, model: nn.Module, features: Tensor) -> None:
        """Tell a new network what training features ``[N, C, F, T]`` look like: a sample of them, N is bounded."""

    def feature_key(self) -> str:
        """Return a text that differs whenever `features` would give something else for the same sound."""

    def features(self, waveform: Tensor) -> Tensor:
        """Return features ``[B, C, F, T]`` of waveforms ``[B, 1, N]``, on their device."""

    def objective(self, model: nn.Module, features: Tensor, step: int | None = None) -> Objective:
        """Return the loss terms of a batch.

        ``step`` is the number of the step in its epoch while training, None in validation, where the network is in
        eval mode and nothing is drawn at random.
        """

    def weights(self, progress: float) -> dict[str, float]:
        """Return the weight of each term when ``progress`` (0 to 1) of the epochs is done; 1 gives the final ones."""

    def validation_figures(self, details: Sequence[Any]) -> dict[str, Any]:
        """Return what is watched over the whole validation set, from the details of its batches."""

    def step_event(self, facts: StepResult) -> StepMetrics | VQStepMetrics:
        """Return the event of a step."""

    def epoch_event(self, facts: EpochResult) -> EpochMetrics | VQEpochMetrics:
        """Return the event of an epoch."""

    def warnings(self, event: EpochMetrics | VQEpochMetrics) -> list[TrainingNotice]:
        """Return what the user should be warned of after an epoch, beside overfitting."""

    def checkpoint_fields(self, progress: float, event: EpochMetrics | VQEpochMetrics | None) -> dict[str, Any]:
        """Return what a checkpoint of this family holds beside the common keys.

        ``event`` is the epoch that was just completed, or None for one in progress.
        """

    def model_file_fields(self, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a model file of this family holds beside the common keys, from its checkpoint."""

    @property
    def prior_components(self) -> int | None:
        """Principal components of the points that the prior describes; None for the points themselves."""

    @property
    def copy_detail(self) -> float:
        """Share of the detail that copies get back by default."""

    def point_dim(self, model: nn.Module) -> int:
        """Return P, numbers in a point."""

    def points(self, model: nn.Module, features: Tensor) -> Tensor:
        """Return the points ``[B, P]`` that features ``[B, C, F, T]`` are encoded to."""

    def posterior(self, model: nn.Module, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the points ``[B, P]`` of features and their variance ``[B, P]`` (None: none), as in `Objective`."""

    def from_points(self, model: nn.Module, points: Tensor) -> Tensor:
        """Return the features that points ``[B, P]`` are decoded to; `reconstruct` goes through them."""

    def reconstruct(self, model: nn.Module, features: Tensor) -> Tensor:
        """Return features that went through the latent or the codes, and nothing else of the input."""

    def to_waveform(self, features: Tensor, samples: int | None = None, known: KnownSamples | None = None) -> Tensor:
        """Return waveforms ``[B, 1, N]`` on the CPU for features ``[B, C, F, T]``; they have the ``known`` samples."""


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
