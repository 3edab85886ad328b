"""Measures what a run takes, for the estimates of the next ones."""

import sys
from collections import defaultdict
from dataclasses import dataclass

from distill.runs.folder import RunFolder
from distill.runs.measured_costs import RunFigures
from distill.runs.preview_sound import find_previews
from distill.runs.verdict import Kind, Verdict

#: Fewest steps that tell how long a step takes.
FEWEST_STEPS = 5


class Stopwatch:
    """Adds up seconds by name, and how often each was measured."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.counts: defaultdict[str, int] = defaultdict(int)

    def add(self, name: str, seconds: float, count: int = 1) -> None:
        """Add seconds in which so many were done."""
        self.seconds[name] += seconds
        self.counts[name] += count

    def mean(self, name: str) -> float:
        """Return the seconds for each; 0 where nothing was measured."""
        return self.seconds[name] / self.counts[name] if self.counts[name] else 0.0


def peak_memory() -> int:
    """Return the largest memory of this process in bytes; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


@dataclass(frozen=True)
class RunFacts:
    """What the cost of a run depends on.

    Attributes
    ----------
    chunks, seconds
        Training chunks, and seconds of the sounds that they are of, variants not counted.
    variants
        Of each chunk.
    sounds
        That are trained on.
    closing_steps
        Steps of the prior at the end.
    good_share
        See `good_share`.
    """

    chunks: int
    seconds: float
    variants: int
    sounds: int
    closing_steps: int
    good_share: float


def figures_of(watch: Stopwatch, folder: RunFolder, facts: RunFacts, is_trial: bool = False) -> RunFigures | None:
    """Return what a run took in this session; None where it has taken too few steps to tell."""
    if watch.counts["step"] < FEWEST_STEPS:
        return None
    checkpoints = [path.stat().st_size for path in folder.checkpoints.glob("*.pt")]
    previews = find_previews(folder.previews)  # of all sessions
    return RunFigures(
        is_trial=is_trial,
        step_s=watch.mean("step"),
        measure_s=watch.mean("measuring"),
        preview_s=watch.mean("previews"),
        preview_bytes=sum(p.path.stat().st_size for p in previews) / max(1, len({p.epoch for p in previews})),
        prepare_s=watch.seconds["preparing"] / max(1.0, facts.seconds * facts.variants),
        closing_s=watch.seconds["closing"],
        closing_steps=facts.closing_steps,
        peak_bytes=peak_memory(),
        checkpoint_bytes=max(checkpoints, default=0),
        model_bytes=folder.model_file.stat().st_size if folder.model_file.is_file() else 0,
        chunks=facts.chunks,
        good_share=facts.good_share,
    )


def good_share(verdict: Verdict, epochs_asked: int) -> float:
    """Return after which share of the planned epochs a run no longer improved; 0 where it did to its end."""
    if verdict.kind not in (Kind.FLAT, Kind.BY_HEART) or verdict.since is None:
        return 0.0
    return (verdict.since + 1) / epochs_asked
