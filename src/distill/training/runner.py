"""A training run in a thread of its own, for scripts and for windows other than ours."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.config.training import AnyConfig, VQVAEConfig
from distill.events import MetricsCallback
from distill.runs.stop_request import StopRequest
from distill.training.loop import train


class TrainingRunner:
    """Starts, cancels and waits for one run at a time.

    The callback is called in the run's thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._cancel = StopRequest()
        self._error: Exception | None = None
        self._result: dict[str, Any] | None = None

    def start(
        self,
        config: AnyConfig,
        file_paths: Sequence[Path | str],
        output_dir: Path | str,
        device: str = "auto",
        callback: MetricsCallback | None = None,
    ) -> None:
        """Start a new run.

        Raises
        ------
        RuntimeError
            A run is under way.
        """
        self._start(config, file_paths, output_dir, device, callback, None)

    def start_vqvae(
        self,
        config: VQVAEConfig,
        file_paths: Sequence[Path | str],
        output_dir: Path | str,
        device: str = "auto",
        callback: MetricsCallback | None = None,
    ) -> None:
        """Start a new run of a VQ-VAE: `start`, typed for its configuration.

        Raises
        ------
        RuntimeError
            A run is under way.
        """
        self.start(config, file_paths, output_dir, device, callback)

    def resume(
        self,
        config: AnyConfig,
        file_paths: Sequence[Path | str],
        output_dir: Path | str,
        device: str,
        checkpoint_path: Path | str,
        callback: MetricsCallback | None = None,
    ) -> None:
        """Continue a run from a checkpoint.

        Raises
        ------
        RuntimeError
            A run is under way.
        """
        self._start(config, file_paths, output_dir, device, callback, checkpoint_path)

    def _start(self, *arguments: Any) -> None:
        config, files, output_dir, device, callback, checkpoint = arguments
        with self._lock:
            if self.is_running():
                raise RuntimeError("A training is running already. Cancel it and wait for its end first.")
            self._cancel = StopRequest()
            self._error = self._result = None

            def work(cancel: StopRequest = self._cancel) -> None:
                try:
                    self._result = train(config, files, output_dir, device, callback, cancel, checkpoint)
                except Exception as exc:  # the border of a run: kept for `last_error`
                    self._error = exc

            self._thread = threading.Thread(target=work, name="distill-training")
            self._thread.start()

    def cancel(self) -> None:
        """Ask the run to stop with a checkpoint; returns at once."""
        self._cancel.set()

    def finish(self) -> None:
        """Ask the run to end as finished, with the epochs that it has made; returns at once."""
        self._cancel.finish()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the run's end, at most ``timeout`` seconds; return whether it has ended."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.is_running()

    def is_running(self) -> bool:
        """Whether a run is under way."""
        return self._thread is not None and self._thread.is_alive()

    def last_error(self) -> Exception | None:
        """Return what ended the last run, or None."""
        return self._error

    def result(self) -> dict[str, Any] | None:
        """Return what `train` returned for the last run, or None while it runs or if it failed."""
        return self._result
