"""Settings of a run: the single home of defaults, ranges, labels and help texts.

The training panel, the command line and the checkpoints derive from the fields of these classes.  No torch here: the
window reads this before torch is imported.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from distill.config.setting_fields import Validated, setting
from distill.config.spectrogram import ComplexSpectrogramConfig as ComplexSpectrogramConfig
from distill.errors import ConfigurationError


class OverfittingPreset(StrEnum):
    """How much a run guards against learning its sounds by heart, by the number of files."""

    CONSERVATIVE = "conservative"
    BALANCED = "balanced"
    AGGRESSIVE = "aggressive"


@dataclass
class RegularizationConfig(Validated):
    """What keeps a model from learning its sounds by heart."""

    dropout: float = setting(
        0.1, "Dropout", "Share of the values in the middle of the network that are left out at random in each step.",
        low=0.0, high=0.9,
    )  # fmt: skip
    weight_decay: float = setting(
        1e-2, "Weight decay", "How strongly AdamW pulls weights towards zero (decoupled, times the learning rate).",
        low=0.0, high=1.0,
    )  # fmt: skip
    augmentation_expansion: int = setting(
        4, "Variants per sound",
        "How many variants of each second are trained on: the sound itself, and copies with pitch, speed, noise and "
        "gain changed. 0 and 1 mean no augmentation.",
        low=0, high=32,
    )  # fmt: skip
    gradient_clip_norm: float = setting(
        1.0, "Gradient clip", "Maximum norm (L2) of a step's gradient; longer ones are shortened to it.",
        low=0.01, high=1000.0,
    )  # fmt: skip


@dataclass
class RunConfig(Validated):
    """Settings that every family has."""

    family: str = setting("", "Family", "Kind of model that is trained.")
    max_epochs: int = setting(200, "Epochs", "Passes over your sounds.", low=1, high=100_000)
    patience: int = setting(
        0, "Patience",
        "Ends the run when the loss on held-out sounds has not improved for so many epochs, as far as can be told from "
        "its trend; the model has the weights of the best epoch. 0 trains all epochs.",
        low=0, high=100_000, unit="epochs",
    )  # fmt: skip
    batch_size: int = setting(
        16, "Batch size", "Pieces of sound (chunks) that one training step learns from.", low=1, high=4096
    )
    learning_rate: float = setting(
        1.5e-3, "Learning rate", "Highest step size of the optimizer (AdamW); it warms up and then follows a cosine.",
        low=1e-7, high=1.0,
    )  # fmt: skip
    prior_steps: int = setting(
        8, "Prior steps",
        "How many steps the prior, from which new sounds are drawn, learns for each step of the network: the first of "
        "them beside it, the others at the end of the run. 0 leaves it at a Gaussian that is fitted to the corpus.",
        low=0, high=64,
    )  # fmt: skip
    val_fraction: float = setting(
        0.1, "Held out", "Share of the files that is never trained on, to measure what the model has really learned.",
        low=0.01, high=0.5,
    )  # fmt: skip
    chunk_duration_s: float = setting(
        1.0, "Chunk length", "Length of the pieces that sounds are cut into.", low=0.25, high=8.0, unit="s"
    )
    checkpoint_interval: int = setting(
        10, "Checkpoint every", "A checkpoint is written after this many epochs.", low=1, high=100_000, unit="epochs"
    )
    preview_interval: int = setting(
        20, "Preview every",
        "Previews are made after the first epoch, then each time after this many more; after epochs 2, 5 and 10, so "
        "that there is soon something to hear; and whenever the loss on held-out sounds has fallen by a tenth.",
        low=1, high=100_000, unit="epochs",
    )  # fmt: skip
    preview_interval_short: int = setting(
        5, "Preview every (short runs)",
        "In runs under 50 epochs, previews are made after the first epoch, then each time after this many more.",
        low=1, high=100_000, unit="epochs",
    )  # fmt: skip
    max_checkpoints: int = setting(
        3, "Checkpoints kept", "Newest checkpoints that are kept; the best one is kept beside them.", low=1, high=1000
    )
    preset: OverfittingPreset = setting(
        OverfittingPreset.BALANCED, "Preset",
        "How strongly the run is guarded against memorising: conservative most, for few sounds; aggressive least, for "
        "200 and more.",
        choices=tuple(p.value for p in OverfittingPreset),
    )  # fmt: skip
    regularization: RegularizationConfig = field(default_factory=RegularizationConfig)
    device: str = setting(
        "auto", "Device", "Device of the training: auto, cpu, cuda, cuda:1, mps.",
        pattern=r"auto|(cpu|cuda|mps|xpu)(:\d+)?",
    )  # fmt: skip
    precision: str = setting(
        "auto", "Precision", "Number format of the heavy arithmetic; auto measures which is faster here.",
        choices=("auto", "float32", "bfloat16"),
    )  # fmt: skip
    num_threads: int | str = setting(
        "auto", "Threads", "Processor threads that the training uses; auto measures.",
        low=1, high=1024, choices=("auto",),
    )  # fmt: skip
    seed: int = setting(0, "Seed", "Start of all random choices; the same seed gives the same run.", low=0, high=2**31)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "preset", OverfittingPreset(self.preset))
        if not isinstance(self.regularization, RegularizationConfig):
            raise ConfigurationError(f"regularization must be a RegularizationConfig, not {self.regularization!r}.")
        # Each configuration has its own: a change of one does not change another.
        object.__setattr__(self, "regularization", replace(self.regularization))


#: Latents of a variational autoencoder where no number is given: two channels need more than one.
LATENTS = {"vae": 64, "complex_vae": 128}
_COMPLEX = ("complex_vae",)


@dataclass
class TrainingConfig(RunConfig):
    """Settings of a variational autoencoder; without a ``latent_dim`` it gets the family's own."""

    family: str = setting("vae", "Family", "Kind of model that is trained.", choices=tuple(LATENTS))
    latent_dim: int = setting(
        None, "Dimensions", "Numbers that a second of sound is described by (latents).", low=1, high=4096, whole=True
    )
    kl_warmup_fraction: float = setting(
        0.3, "KL warm-up", "Share of the epochs over which the KL weight rises to its final value.", low=0.0, high=1.0
    )
    kl_weight_max: float = setting(
        3e-4, "KL weight",
        "How closely sounds are packed together: more gives better new sounds, less gives closer copies.",
        low=0.0, high=100.0,
    )  # fmt: skip
    free_bits: float = setting(
        0.05, "Free bits", "KL that each latent may have at no cost, so that it is not given up early.",
        low=0.0, high=10.0, unit="nat",
    )  # fmt: skip
    network_width: int = setting(
        64, "Network width",
        "Channels of the first layer; each of the five has twice those of the one before. Twice the width takes about "
        "three times as long and pays only where there are many sounds.",
        low=4, high=256, families=_COMPLEX,
    )  # fmt: skip
    magnitude_weight: float = setting(
        1.0, "Magnitude weight", "How much a wrong loudness of a band counts.",
        low=0.0, high=100.0, families=_COMPLEX,
    )  # fmt: skip
    frequency_weight: float = setting(
        0.5, "Frequency weight", "How much a wrong frequency counts, the more the louder it is.",
        low=0.0, high=100.0, families=_COMPLEX,
    )  # fmt: skip
    spectral_weight: float = setting(
        0.25, "Spectral weight", "How much energy that is lost counts, at several resolutions of time and pitch.",
        low=0.0, high=100.0, families=_COMPLEX,
    )  # fmt: skip
    complex_spectrogram: ComplexSpectrogramConfig = field(
        default_factory=ComplexSpectrogramConfig, metadata={"families": _COMPLEX}
    )

    def __post_init__(self) -> None:
        if self.latent_dim is None:
            object.__setattr__(self, "latent_dim", LATENTS.get(str(self.family), 1))  # an unknown one is refused below
        super().__post_init__()
        if not isinstance(self.complex_spectrogram, ComplexSpectrogramConfig):
            raise ConfigurationError(
                f"complex_spectrogram must be a ComplexSpectrogramConfig, not {self.complex_spectrogram!r}."
            )
        object.__setattr__(self, "complex_spectrogram", replace(self.complex_spectrogram))


@dataclass
class VQVAEConfig(RunConfig):
    """Settings of a residual-VQ autoencoder."""

    family: str = setting("vqvae", "Family", "Kind of model that is trained.", choices=("vqvae",))
    codebook_dim: int = setting(128, "Code size", "Numbers that a code stands for.", low=1, high=4096)
    codebook_size: int = setting(256, "Codebook", "Entries of each codebook.", low=2, high=65_536)
    num_quantizers: int = setting(3, "Levels", "Codebooks in a row, each coding what the last one left.", low=2, high=4)
    decay: float = setting(
        0.99, "Codebook decay", "How slowly codebook entries follow the sounds (moving average).", low=0.5, high=0.9999
    )
    commitment_weight: float = setting(
        0.25, "Commitment", "How strongly the encoder is held to the codebook entries.", low=0.0, high=10.0
    )
    threshold_ema_dead_code: float = setting(
        # A batch holds only some three codes for each entry: with the model's own default of 2, entries that are rare
        # but needed were replaced all the time (4.9 instead of 4.3 dB of mel distance after a minute).
        0.2, "Dead code reset", "An entry used less often than this a batch is replaced; 0 replaces none.",
        low=0.0, high=1000.0, unit="uses",
    )  # fmt: skip
    kmeans_init: bool = setting(
        True, "k-means start", "Start with codebook entries fitted to your sounds by k-means instead of random ones."
    )
    kmeans_iters: int = setting(
        10, "k-means rounds", "Rounds of that first fit of the codebooks; without the start they do nothing.",
        low=1, high=1000,
    )  # fmt: skip
    dropout: float = setting(
        0.1, "Dropout", "Share of the channels before the decoder that is left out at random in each step.",
        low=0.0, high=0.9,
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        # One dropout under two names: the network has the one layer, which `dropout` is of.  The other name says the
        # same, so that no record or window shows a figure that does nothing.
        object.__setattr__(self, "regularization", replace(self.regularization, dropout=self.dropout))


#: Patience of the runs that window and terminal start.
DEFAULT_PATIENCE = 8


AnyConfig = TrainingConfig | VQVAEConfig
