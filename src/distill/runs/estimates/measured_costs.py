"""What earlier runs on this computer took: seconds, memory and disk, kept in the data folder.  No torch, no Qt.

Each run adds its figures when it ends, and a speed trial adds some before the first run.  Figures are kept under a key
of everything that changes the cost of a step: family, size of the network, batch, precision, threads and device.
"""

import logging
import os
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from distill import paths
from distill.config.training import AnyConfig, TrainingConfig, VQVAEConfig
from distill.files import is_access_error
from distill.json_files import read_json, write_json
from distill.runs.folder import RunFolder
from distill.runs.preview_files import find_previews
from distill.runs.verdict import Kind, Verdict

log = logging.getLogger(__name__)

_VERSION = 1
#: Runs that are kept for each key, and keys.
_RUNS, _KEYS = 8, 60
#: Figures from here on are damaged.
_MOST = 1e15


class Stopwatch:
    """Adds up what a run takes: seconds by name, and how often each was measured."""

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


@dataclass(frozen=True)
class RunFigures:
    """What a run took.

    Attributes
    ----------
    is_trial
        Whether it was a speed trial.
    step_s
        Seconds for a training step, with all that belongs to it.
    measure_s
        Seconds for measuring a chunk.
    preview_s, preview_bytes
        For the previews of an epoch.
    prepare_s
        Seconds for preparing a second of sound in one variant; 0 where it came from the cache.
    closing_s, closing_steps
        Seconds between the last epoch and the end, and the steps that the prior was trained in them; 0: not known.
    peak_bytes
        Largest memory of the process; 0: not known.
    checkpoint_bytes, model_bytes
        Of a file.
    chunks
        Training chunks, variants not counted.
    good_share
        Share of the planned epochs after which the run no longer improved; 0: not known.
    """

    is_trial: bool = False
    step_s: float = 0.0
    measure_s: float = 0.0
    preview_s: float = 0.0
    preview_bytes: float = 0.0
    prepare_s: float = 0.0
    closing_s: float = 0.0
    closing_steps: float = 0.0
    peak_bytes: float = 0.0
    checkpoint_bytes: float = 0.0
    model_bytes: float = 0.0
    chunks: float = 0.0
    good_share: float = 0.0

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild from `dataclasses.asdict`'s result; what is missing or no number is 0.

        Raises
        ------
        TypeError
            ``data`` is no table.
        """
        if not isinstance(data, Mapping):
            raise TypeError("figures must be a table")
        known: dict[str, float] = {}
        for item in fields(cls):
            value = data.get(item.name)
            if item.name != "is_trial" and isinstance(value, (int, float)) and 0 <= value < _MOST:
                known[item.name] = float(value)
        return cls(is_trial=data.get("is_trial") is True, **known)


def figures_key(config: AnyConfig) -> str:
    """Return the key of a configuration's figures."""
    size: tuple[Any, ...] = ()
    if isinstance(config, TrainingConfig):
        size = (config.latent_dim, config.network_width if config.family == "complex_vae" else "")
    elif isinstance(config, VQVAEConfig):
        size = (config.codebook_dim, config.codebook_size, config.num_quantizers)
    threads = os.environ.get("OMP_NUM_THREADS") or os.cpu_count()
    parts = (
        config.family, *size, config.chunk_duration_s, config.batch_size, config.precision, config.num_threads, threads,
        config.device, min(config.prior_steps, 1),
    )  # fmt: skip
    return " ".join(map(str, parts))


class Figures:
    """The kept figures, by key."""

    def __init__(self, entries: Mapping[str, Sequence[RunFigures]] | None = None, is_unread: bool = False) -> None:
        self._entries = {key: list(found) for key, found in (entries or {}).items()}
        self._is_unread = is_unread

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read what is kept; what is damaged is left out.  What cannot be read now is not replaced by `save`."""
        try:
            data = read_json(path or _file())
            runs = data["runs"] if data["version"] == _VERSION else {}
            return cls({str(key): [RunFigures.from_dict(item) for item in found] for key, found in runs.items()})
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as exc:
            return cls(is_unread=is_access_error(exc) and not isinstance(exc, FileNotFoundError))

    def of(self, config: AnyConfig) -> list[RunFigures]:
        """Return the figures of runs with the same cost of a step, the oldest first."""
        return list(self._entries.get(figures_key(config), ()))

    def of_family(self, family: str) -> list[RunFigures]:
        """Return the figures of all runs of a family."""
        return [run for key, runs in self._entries.items() if key.split()[0] == family for run in runs]

    def runs(self) -> list[RunFigures]:
        """Return the figures of all runs, no trials; those of the kind that was trained last come last."""
        return [run for runs in self._entries.values() for run in runs if not run.is_trial]

    def add(self, config: AnyConfig, run: RunFigures) -> None:
        """Take the figures of a run; a trial is dropped when the first run is there."""
        key = figures_key(config)
        figures = self._entries.pop(key, [])
        figures = figures if run.is_trial else [item for item in figures if not item.is_trial]
        self._entries[key] = [*figures, run][-_RUNS:]
        for oldest in list(self._entries)[:-_KEYS]:
            del self._entries[oldest]

    def save(self, path: Path | None = None) -> None:
        """Write the file; only the estimates are lost if that fails."""
        if self._is_unread:
            return
        runs = {key: [asdict(run) for run in figures] for key, figures in self._entries.items()}
        try:
            write_json(path or _file(), {"version": _VERSION, "runs": runs})
        except OSError as exc:
            log.info("The figures of runs cannot be kept: %s", exc)


def remember(config: AnyConfig, run: RunFigures) -> None:
    """Add the figures of a run to those that are kept."""
    figures = Figures.load()
    figures.add(config, run)
    figures.save()


def _file() -> Path:
    return paths.data_dir() / "figures.json"


#: Fewest steps that tell how long a step takes.
FEWEST_STEPS = 5


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
        peak_bytes=_peak_memory(),
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


def _peak_memory() -> int:
    """Return the largest memory of this process in bytes; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
