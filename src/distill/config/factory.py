"""From a choice of family, preset and epochs to a configuration: what the window and the terminal both ask for."""

from dataclasses import replace
from typing import Any

from distill.config.family_catalog import family_info
from distill.config.presets import apply_preset
from distill.config.setting_fields import with_settings
from distill.config.training import DEFAULT_PATIENCE, AnyConfig, OverfittingPreset


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
