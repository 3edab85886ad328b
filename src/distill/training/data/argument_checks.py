"""What is given to the functions that read sounds, checked before anything is done."""

import math
import os
from collections.abc import Iterable
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any

from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.config.training import AnyConfig, TrainingConfig, VQVAEConfig
from distill.errors import ConfigurationError


def refuse_one_path(file_paths: Any) -> None:
    """Refuse one path in place of a list: the letters of a text would be taken for names of files.

    Raises
    ------
    ConfigurationError
        It is one path.
    """
    if isinstance(file_paths, str | bytes | os.PathLike):
        raise ConfigurationError(
            f"file_paths must be a list of sound files, not one path ({str(file_paths)!r}). For a folder, give what "
            "distill.audio.sound_scan.find_sound_files([folder]) returns."
        )


def absolute_paths(file_paths: Iterable[Path | str]) -> list[Path]:
    """Return the files of a run, which is resumed from another folder, too.

    Raises
    ------
    ConfigurationError
        It is one path and not a list.
    """
    refuse_one_path(file_paths)
    return [Path(path).absolute() for path in file_paths]


def own_config(config: AnyConfig) -> AnyConfig:
    """Return the run's own copy of its settings: changing the caller's does not change a run.

    Raises
    ------
    ConfigurationError
        They are no settings.
    """
    if not isinstance(config, TrainingConfig | VQVAEConfig):
        raise ConfigurationError(
            f"config must be a TrainingConfig or a VQVAEConfig, not {type(config).__name__}; "
            "TrainingConfig.from_dict makes one of stored settings."
        )
    return replace(config)


def check_data_set(file_paths: Any, chunk_duration_s: float) -> None:
    """Refuse what `distill.training.AudioTrainingDataset` cannot be made of.

    Raises
    ------
    ConfigurationError
        The length is not one, or one path is given and not a list.
    """
    refuse_one_path(file_paths)
    is_number = isinstance(chunk_duration_s, Real) and math.isfinite(chunk_duration_s)
    if not is_number or round(chunk_duration_s * SAMPLE_RATE) < 1:
        raise ConfigurationError(f"chunk_duration_s must be a length in seconds above 0, not {chunk_duration_s!r}.")
