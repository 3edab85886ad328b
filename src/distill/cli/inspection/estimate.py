"""What ``distill inspect --estimate`` prints: what a run on some sounds would take."""

import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distill.cli.terminal import duration
from distill.config.catalog import family_info
from distill.config.training import AnyConfig
from distill.runs.estimate import Estimate, Material, estimate
from distill.runs.figures import Figures, remember


def print_estimate(files: Sequence[Path], config: AnyConfig, stop: threading.Event) -> None:
    """Print what a run would take."""
    found = _estimate(files, config, stop)
    if found is not None:
        for line in estimate_lines(config, *found):
            print(line)


def estimate_as_json(files: Sequence[Path], config: AnyConfig, stop: threading.Event) -> dict[str, Any] | None:
    """Return what a run would take as JSON values; None if the user stops it.

    What is not known is null.
    """
    found = _estimate(files, config, stop)
    return None if found is None else {"family": config.family, **asdict(found[1])}


def _estimate(files: Sequence[Path], config: AnyConfig, stop: threading.Event) -> tuple[Material, Estimate] | None:
    """Estimate a run; None when the user stops it.  The speed is measured where no run and no trial has shown it."""
    from distill.training.measuring.material import material_of

    material = material_of(files, config, stop)
    if material is None:
        return None
    if not Figures.load().of(config):
        from distill.training.measuring.speed_trial import measure

        print("Measuring your computer…", file=sys.stderr, flush=True)
        found = measure(config, stop)
        if found is not None:
            remember(config, found)
    return material, estimate(config, material, Figures.load())


def estimate_lines(config: AnyConfig, material: Material, found: Estimate) -> list[str]:
    """Return an estimate as lines: an empty figure is one that is not known."""
    label = family_info(config.family).label
    per_epoch = f"{found.steps_per_epoch} steps an epoch"
    lines = [f"A run of the {label} on {material.sounds} sounds, {per_epoch}:"]
    if found.seconds is not None and found.good_seconds is not None:
        lines += [
            f"good model  about {duration(found.good_seconds)} (epoch {found.good_epochs})",
            f"end         about {duration(found.seconds)} (epoch {found.epochs} of at most {found.max_epochs})",
        ]
    if found.memory_bytes is not None:
        lines.append(f"memory      {found.memory_bytes / 1e9:.1f} GB")
    if found.disk_bytes is not None:
        lines.append(f"disk        {found.disk_bytes / 1e6:.0f} MB for checkpoints, previews and the model")
    source = f"{found.basis} earlier runs" if found.basis > 1 else "an earlier run" if found.basis else "a short trial"
    lines += [f"sounds      {found.enough}", f"Measured by {source} on this computer; other programs make it slower."]
    return lines
