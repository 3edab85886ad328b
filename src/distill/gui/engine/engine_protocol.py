"""The interface of the training engine, as the window uses it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event as CancelEvent
from typing import Any, Protocol

from distill.audio.decoding.sound_fix import SoundFix
from distill.config.training import AnyConfig
from distill.events import MetricsCallback


class Engine(Protocol):
    """The engine as the window uses it: `distill.training.loop`, or a fake in tests."""

    def train(
        self,
        config: AnyConfig,
        file_paths: Sequence[Path],
        output_dir: Path,
        device: str,
        callback: MetricsCallback | None = None,
        cancel_event: CancelEvent | None = None,
        *,
        models_dir: Path | None = None,
        dataset_name: str = "",
        model_name: str = "",
        fixes: Mapping[Path, SoundFix] | None = None,
        start_from: Path | None = None,
    ) -> dict[str, Any]:
        """Train; blocks."""

    def resume_run(
        self,
        run_dir: Path,
        callback: MetricsCallback | None = None,
        cancel_event: CancelEvent | None = None,
        max_epochs: int | None = None,
        models_dir: Path | None = None,
        sounds: Path | None = None,
    ) -> dict[str, Any]:
        """Continue a run; blocks."""


#: Returns the engine, after waiting for its import if necessary.
EngineSource = Callable[[], Engine]
