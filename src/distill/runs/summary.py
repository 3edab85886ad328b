"""What a list of runs shows of each: read from its record and, once, from its history.  No torch here.

A history of a long run has hundreds of megabytes of steps.  Of those only the lines of epochs are parsed, and what
they say is kept in the cache folder until the history changes, so that the list is read in a moment from then on.
"""

import logging
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from distill import diagnostics, paths
from distill.config.family_catalog import family_info
from distill.errors import DistillError
from distill.events import UNSAVED
from distill.json_files import read_json, write_json
from distill.metrics_history import thinned
from distill.paths import RUN_MARKER
from distill.runs.run_history import HISTORY, read_losses
from distill.runs.run_owner import host_name, training_host
from distill.runs.run_record import RunRecord

log = logging.getLogger(__name__)

#: Most points of a run's small curve.
CURVE_POINTS = 96

_CACHE_VERSION = 1


@dataclass(frozen=True)
class EpochSummary:
    """What a history says in short.

    Attributes
    ----------
    epochs
        Number of epochs that were measured.
    best_loss, best_epoch
        Lowest loss on held-out sounds, and the number of its epoch, from 1: the one that the run's model is from.
    curve
        Losses on held-out sounds, evenly thinned out to `CURVE_POINTS`.
    """

    epochs: int = 0
    best_loss: float | None = None
    curve: tuple[float, ...] = ()
    best_epoch: int | None = None

    @classmethod
    def of(cls, losses: list[float]) -> "EpochSummary":
        """Summarise the losses of all epochs."""
        finite = [loss for loss in losses if math.isfinite(loss)]
        best = min(finite, default=None)
        number = None if best is None else losses.index(best) + 1
        return cls(len(losses), best, tuple(thinned(finite, CURVE_POINTS)), number)


@dataclass(frozen=True)
class RunSummary:
    """A run as a row of a list.

    Attributes
    ----------
    folder
        Its folder.
    status
        ``"finished"``, ``"paused"``, ``"interrupted"`` (its process was killed), ``"failed"``,
        ``"could not be saved"``, ``"running"`` (in this process or another), or ``"unreadable"``.
    name
        The user's name for it.
    created
        When it began, ISO 8601, in the time zone it was written in.
    family
        Label of the family.
    sounds
        Number of sounds that were trained on.
    epochs_asked
        Number of epochs that it was made for.
    progress
        How far it has come.
    problem
        Why it failed, could not be saved, or cannot be read.
    host
        The other computer that trains it; empty where this one does, or none.
    """

    folder: Path
    status: str
    name: str
    created: str = ""
    family: str = ""
    sounds: int = 0
    epochs_asked: int = 0
    progress: EpochSummary = field(default_factory=EpochSummary)
    problem: str = ""
    host: str = ""

    @property
    def can_resume(self) -> bool:
        """Whether it can go on without being made longer."""
        return self.status in ("paused", "interrupted", "failed", UNSAVED)


def list_runs(folder: Path | None = None) -> list[RunSummary]:
    """Return the runs in a folder of runs, the newest first; what is no run is passed over.

    One that cannot be read is listed with the reason: nothing that a training has cost is hidden.
    """
    root = paths.runs_dir() if folder is None else folder
    try:
        run_folders = [path for path in root.iterdir() if _may_be_run(path)]
    except OSError:
        return []
    cache = _Cache.load()
    runs = [_summarise_safely(path, cache) for path in run_folders]
    cache.save()
    return sorted(runs, key=lambda run: (run.created, run.folder.name), reverse=True)


def _may_be_run(folder: Path) -> bool:
    """Whether a folder is that of a run, or cannot be looked into, as behind a link to a drive that is gone."""
    try:
        return (folder / RUN_MARKER).is_file()
    except OSError:
        return True


def _summarise_safely(folder: Path, cache: "_Cache") -> RunSummary:
    """Return the summary of a run; an unexpected error is reported, and does not hide the other runs."""
    try:
        return summarise(folder, cache)
    except Exception as exc:  # boundary: one damaged folder
        diagnostics.report(exc, f"the run {folder.name}")
        return RunSummary(folder, "unreadable", folder.name, problem=f"It cannot be read ({exc}).")


def summarise(folder: Path, cache: "_Cache | None" = None) -> RunSummary:
    """Return the summary of one run."""
    try:
        record = RunRecord.load(folder)
    except DistillError as exc:
        return RunSummary(folder, "unreadable", folder.name, problem=str(exc))
    progress = (cache or _Cache({})).progress(folder)
    host = training_host(folder)
    return RunSummary(
        folder=folder,
        status="running" if host is not None else _status(record),
        host="" if host in (None, host_name()) else str(host),
        name=record.model_name or record.dataset_name or folder.name,
        created=record.created,
        family=family_info(record.config.family).label,
        sounds=max(0, len(record.file_paths) - len(record.skipped)),
        epochs_asked=record.epochs_asked,
        progress=progress,
        problem=record.error or "",
    )


def _status(record: RunRecord) -> str:
    return {"running": "interrupted", "stopped": "paused"}.get(record.status, record.status)


class _Cache:
    """Summaries of histories by folder, each valid while the history has the same size and time."""

    def __init__(self, entries: dict[str, Any]) -> None:
        self._entries = entries
        self._used: dict[str, Any] = {}

    @classmethod
    def load(cls) -> "_Cache":
        """Read what is kept; what is damaged is read anew from the histories."""
        try:
            data = read_json(_cache_file())
            entries = data["runs"] if data["version"] == _CACHE_VERSION else {}
        except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
            entries = {}
        return cls(entries if isinstance(entries, dict) else {})

    def progress(self, folder: Path) -> EpochSummary:
        """Return the summary of a run's history."""
        path = folder / HISTORY
        try:
            facts = path.stat()
        except OSError:
            return EpochSummary()
        key, stamp = str(folder), [facts.st_size, facts.st_mtime_ns]
        entry = self._entries.get(key)
        summary = _summary_of(entry, stamp)
        if summary is None:
            summary = EpochSummary.of(list(read_losses(path)))
            entry = {
                "stamp": stamp, "epochs": summary.epochs, "best": summary.best_loss, "curve": list(summary.curve),
                "best_epoch": summary.best_epoch,
            }  # fmt: skip
        self._used[key] = entry
        return summary

    def save(self) -> None:
        """Keep what was asked for, and nothing of runs that are gone."""
        if self._used == self._entries:
            return
        try:
            write_json(_cache_file(), {"version": _CACHE_VERSION, "runs": self._used})
        except OSError as exc:
            log.info("The summaries of runs cannot be kept: %s", exc)


def _summary_of(entry: Any, stamp: list[int]) -> EpochSummary | None:
    try:
        if entry["stamp"] != stamp:
            return None
        best, number = entry["best"], entry["best_epoch"]  # older versions did not keep the latter: read anew
        return EpochSummary(
            int(entry["epochs"]),
            None if best is None else float(best),
            tuple(float(v) for v in entry["curve"]),
            None if number is None else int(number),
        )
    except (LookupError, TypeError, ValueError, OverflowError):
        return None


def _cache_file() -> Path:
    return paths.cache_dir() / "runs.json"


def with_progress(run: RunSummary, losses: list[float]) -> RunSummary:
    """Return a run's summary, brought up to date by what it has measured since."""
    return replace(run, progress=EpochSummary.of(losses))
