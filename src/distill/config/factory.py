"""Makes the configuration of a run: from family, preset and epochs, from stored values, or from a model."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from distill.config.family_catalog import family_info
from distill.config.presets_by_file_count import apply_preset
from distill.config.setting_fields import with_settings
from distill.config.training import DEFAULT_PATIENCE, AnyConfig, OverfittingPreset
from distill.errors import ConfigurationError

#: Settings that the shape of a network depends on.
SHAPE = (
    "chunk_duration_s", "latent_dim", "network_width", "complex_spectrogram", "codebook_dim", "codebook_size",
    "num_quantizers",
)  # fmt: skip


def make_config(
    family: str, file_count: int, preset: str = "auto", max_epochs: int | None = None, **changes: Any
) -> AnyConfig:
    """Return the configuration of a run; it ends by itself when it no longer improves (`DEFAULT_PATIENCE`).

    Parameters
    ----------
    family
        Family key.
    file_count
        Number of usable files; it decides the preset when that is ``"auto"``.
    preset
        ``"auto"`` or a value of `OverfittingPreset`.
    max_epochs
        Number of epochs, or None for the family's default.
    **changes
        Other fields to set; ``**{"regularization.dropout": 0.3}`` sets one of a configuration inside.

    Raises
    ------
    ConfigurationError
        A value is unknown or out of range.
    """
    config = replace(family_info(family).adaptive_config(file_count), patience=DEFAULT_PATIENCE)
    if preset != "auto":
        replace(config, preset=preset)  # type: ignore[arg-type]  # refuses an unknown name with the usual sentence
        config = apply_preset(config, OverfittingPreset(preset))
    if max_epochs is not None:
        changes["max_epochs"] = max_epochs
    return with_settings(config, changes)


def config_from_dict(data: dict[str, Any]) -> AnyConfig:
    """Rebuild the configuration of any family from `Validated.to_dict`'s result.

    Raises
    ------
    ConfigurationError
        The family is unknown, or a value is out of range.
    """
    if not isinstance(data, dict):
        raise ConfigurationError("The settings of the run are not readable.")
    return family_info(str(data.get("family", ""))).config_type.from_dict(data)


def config_from_model(config: AnyConfig, model: AnyConfig, chosen: Collection[str] = ()) -> AnyConfig:
    """Return the settings of a run that starts with the weights of a model.

    The shape of the network is the model's.  The KL weight does not warm up again, unless that was chosen: the model
    would forget how its sounds are packed.

    Parameters
    ----------
    config
        Settings as they were asked for.
    model
        Settings of the model.
    chosen
        Names of the settings that the user has set; ``family`` for the family.

    Raises
    ------
    ConfigurationError
        A setting that was chosen is not the model's.
    """
    if type(config) is not type(model) or config.family != model.family:
        mine, theirs = family_info(config.family).label, family_info(model.family).label
        raise ConfigurationError(f"The model is of the family {theirs}: a run from it cannot be of the family {mine}.")
    asked, stored = config.to_dict(), model.to_dict()
    for name in SHAPE:
        given = [choice for choice in chosen if choice.split(".")[0] == name]
        if given and asked.get(name) != stored.get(name):
            label = type(config).__dataclass_fields__[name].metadata.get("label", name)
            raise ConfigurationError(
                f"{label} of the model is {_text(stored[name])}, so a run from it cannot have {_text(asked[name])}. "
                "Leave that setting as it is, or start without the model."
            )
    shape: dict[str, Any] = {name: getattr(model, name) for name in SHAPE if name in stored}
    if "kl_warmup_fraction" in asked and "kl_warmup_fraction" not in chosen:
        shape["kl_warmup_fraction"] = 0.0
    return replace(config, **shape)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)
