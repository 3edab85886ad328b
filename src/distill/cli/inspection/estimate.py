"""What ``distill inspect --estimate`` prints: what a run on some sounds would take."""

import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from distill.cli.output.printable_text import duration
from distill.config.family_catalog import family_info
from distill.config.training import AnyConfig
from distill.process.stop_signals import EXIT_STOPPED
from distill.runs.estimates.estimate import Estimate, Material, estimate
from distill.runs.estimates.measured_costs import Figures, remember


def print_estimate(files: Sequence[Path], config: AnyConfig, stop: threading.Event) -> None:
    """Print what a run would take.

    Raises
    ------
    typer.Exit
        The user has stopped it.
    """
    for line in estimate_lines(config, *_estimate(files, config, stop)):
        print(line)


def estimate_as_json(files: Sequence[Path], config: AnyConfig, stop: threading.Event) -> dict[str, Any]:
    """Return what a run would take as JSON values; what is not known is null.

    Raises
    ------
    typer.Exit
        The user has stopped it.
    """
    return {"family": config.family, **asdict(_estimate(files, config, stop)[1])}


def _estimate(files: Sequence[Path], config: AnyConfig, stop: threading.Event) -> tuple[Material, Estimate]:
    """Estimate a run.  The speed is measured where no run and no trial has shown it."""
    from distill.training.estimate_inputs import material_of

    material = material_of(files, config, stop)
    if material is not None and not Figures.load().of(config):
        from distill.training.estimate_inputs import measure

        print("Measuring your computer…", file=sys.stderr, flush=True)
        found = measure(config, stop)
        if found is not None:
            remember(config, found)
    if material is None or stop.is_set():
        raise typer.Exit(EXIT_STOPPED)
    return material, estimate(config, material, Figures.load())


def estimate_lines(config: AnyConfig, material: Material, estimated: Estimate) -> list[str]:
    """Return an estimate as lines: an empty figure is one that is not known."""
    label = family_info(config.family).label
    per_epoch = f"{estimated.steps_per_epoch} steps an epoch"
    lines = [f"A run of the {label} on {material.sounds} sounds, {per_epoch}:"]
    if estimated.seconds is not None and estimated.good_seconds is not None:
        end = f"about {duration(estimated.seconds)} (epoch {estimated.epochs} of at most {estimated.max_epochs})"
        lines.append(f"end         {end}")
        if estimated.good_epochs < estimated.epochs:  # of this run: with more epochs both are later
            nearly = f"about {duration(estimated.good_seconds)} (epoch {estimated.good_epochs})"
            lines.append(f"before it   nearly as good in {nearly}")
    if estimated.memory_bytes is not None:
        lines.append(f"memory      {estimated.memory_bytes / 1e9:.1f} GB")
    if estimated.disk_bytes is not None:
        lines.append(f"disk        {estimated.disk_bytes / 1e6:.0f} MB for checkpoints, previews and the model")
    lines.append(f"sounds      {estimated.enough}")
    if estimated.seconds is None:
        return [*lines, "How long it takes could not be measured on this computer."]
    basis = estimated.basis
    source = f"{basis} earlier runs" if basis > 1 else "an earlier run" if basis else "a short trial"
    return [*lines, f"Measured by {source} on this computer; other programs make it slower."]
