"""The jobs of the training thread: a new run, and one that is resumed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as CancelEvent
from typing import Any

from distill.audio.decoding.sound_fix import SoundFix
from distill.config.family_catalog import family_info
from distill.config.training import AnyConfig
from distill.events import Event
from distill.gui.engine.engine_protocol import EngineSource
from distill.metrics_history import AnyHistory, MetricsHistory, VQMetricsHistory
from distill.runs.run_history import read_history
from distill.runs.run_record import RunRecord


@dataclass(frozen=True)
class TrainJob:
    """A new run, with what is fixed in its sounds, and the model or checkpoint that it starts from."""

    config: AnyConfig
    file_paths: tuple[Path, ...]
    run_dir: Path
    models_dir: Path
    name: str
    fixes: Mapping[Path, SoundFix] = field(default_factory=dict)
    start_from: Path | None = None

    def run(self, engine: EngineSource, callback: "QueueCallback", cancel_event: CancelEvent) -> dict[str, Any]:
        """Train; blocks."""
        callback(HistoryRead(self.config, _new_history(self.config)))
        return engine().train(
            self.config, list(self.file_paths), self.run_dir, self.config.device, callback, cancel_event,
            models_dir=self.models_dir, dataset_name=self.name, model_name=self.name, fixes=self.fixes,
            start_from=self.start_from,
        )  # fmt: skip


@dataclass(frozen=True)
class HistoryRead:
    """The history of a run before it continues; the bridge's own event, before those of the engine."""

    config: AnyConfig
    history: AnyHistory


@dataclass(frozen=True)
class ResumeJob:
    """Resumes a run, to ``max_epochs`` if given, with its sounds in the folder ``sounds`` if they have moved."""

    run_dir: Path
    models_dir: Path
    max_epochs: int | None = None
    sounds: Path | None = None

    def run(self, engine: EngineSource, callback: "QueueCallback", cancel_event: CancelEvent) -> dict[str, Any]:
        """Train on; blocks."""
        callback(HistoryRead(RunRecord.load(self.run_dir).config, read_history(self.run_dir)))
        return engine().resume_run(self.run_dir, callback, cancel_event, self.max_epochs, self.models_dir, self.sounds)


Job = TrainJob | ResumeJob
QueueCallback = Callable[[Event | HistoryRead], None]


def _new_history(config: AnyConfig) -> AnyHistory:
    return MetricsHistory() if family_info(config.family).monitor == "kl" else VQMetricsHistory()
