"""The table of model families.  No torch here: the window fills its menus from it before torch is imported.

A family is a row here, a class that fulfils `distill.models.families.family.ModelFamily`, and a configuration type.
"""

from collections.abc import Callable
from dataclasses import dataclass

from distill.config.presets_by_file_count import (
    get_adaptive_complex_config,
    get_adaptive_config,
    get_adaptive_vqvae_config,
)
from distill.config.training import AnyConfig, TrainingConfig, VQVAEConfig
from distill.errors import ConfigurationError


@dataclass(frozen=True)
class FamilyInfo:
    """What the program knows about a family without importing it.

    Attributes
    ----------
    key
        Value of ``config.family``, of ``model_type`` in a model file, and of the family menu's item data.
    label, plain_name, description
        Its technical name, what it is good at in a word or two, and a sentence.
    config_type
        Type of its configuration.
    adaptive_config
        Returns the configuration for a number of files.
    monitor
        What is watched in validation beside the loss: ``"kl"`` or ``"codebook"``.  The window shows the plot for it.
    makes_new_sounds
        Whether its models can `sample`; one that cannot has previews of reconstructions only.
    loads_features
        Whether batches of `create_data_loaders` are cached features instead of waveforms.
    file_version
        Version of the family's `.distill` files.
    implementation
        ``"module:class"`` of the `ModelFamily`.
    """

    key: str
    label: str
    plain_name: str
    description: str
    config_type: type[AnyConfig]
    adaptive_config: Callable[[int], AnyConfig]
    monitor: str
    makes_new_sounds: bool
    loads_features: bool
    file_version: int
    implementation: str


FAMILIES: tuple[FamilyInfo, ...] = (
    FamilyInfo(
        key="vae",
        label="Mel VAE",
        plain_name="Fast",
        description="Quick to train; gives new sounds from random points.",
        config_type=TrainingConfig,
        adaptive_config=get_adaptive_config,
        monitor="kl",
        makes_new_sounds=True,
        loads_features=False,
        file_version=1,
        implementation="distill.models.families.vae_family:MelVAEFamily",
    ),
    FamilyInfo(
        key="complex_vae",
        label="Complex VAE",
        plain_name="Detailed",
        description="Keeps pitch and attack sharp; heard at once; slower to train.",
        config_type=TrainingConfig,
        adaptive_config=get_adaptive_complex_config,
        monitor="kl",
        makes_new_sounds=True,
        loads_features=True,
        file_version=1,
        implementation="distill.models.families.complex_vae_family:ComplexVAEFamily",
    ),
    FamilyInfo(
        key="vqvae",
        label="Residual-VQ VAE",
        plain_name="Closest copies",
        description="Closest copies; describes a sound by codes from codebooks.",
        config_type=VQVAEConfig,
        adaptive_config=get_adaptive_vqvae_config,
        monitor="codebook",
        makes_new_sounds=True,
        loads_features=False,
        file_version=2,
        implementation="distill.models.families.vqvae_family:VQVAEFamily",
    ),
)


def family_info(key: str) -> FamilyInfo:
    """Return a family's row.

    Raises
    ------
    ConfigurationError
        There is no such family.
    """
    for row in FAMILIES:
        if row.key == key:
            return row
    raise ConfigurationError(f"family must be one of {', '.join(row.key for row in FAMILIES)}, not {key!r}.")
