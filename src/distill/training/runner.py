"""A training run in a thread of its own, for scripts and for windows other than ours."""

import atexit
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from distill.config.training import AnyConfig, VQVAEConfig
from distill.errors import ConfigurationError
from distill.events import MetricsCallback
from distill.training.loop import train, train_vqvae
from distill.training.stop_request import StopRequest

#: Maximum seconds for which the end of the interpreter waits for a run to write its checkpoint.
EXIT_SECONDS = 60.0
#: Seconds after which a wait looks for Ctrl-C, which does not interrupt it everywhere.
_SIGNAL_SECONDS = 0.2


class TrainingRunner:
    """Starts, cancels and waits for one run at a time.

    The callback is called in the run's thread.  If the interpreter ends while a run is in progress, the run is
    cancelled and its checkpoint written first.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        # Not the thread's own `join`: one that Ctrl-C interrupts takes the thread for ended (Python 3.11).
        self._ended = threading.Event()
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
            A run is in progress.
        """
        self._start(train, config, file_paths, output_dir, device, callback)

    def start_vqvae(
        self,
        config: VQVAEConfig,
        file_paths: Sequence[Path | str],
        output_dir: Path | str,
        device: str = "auto",
        callback: MetricsCallback | None = None,
    ) -> None:
        """Start a new run of a VQ-VAE, by `train_vqvae`; `result` has ``final_codebook_health``.

        Raises
        ------
        ConfigurationError
            The configuration is that of another family.
        RuntimeError
            A run is in progress.
        """
        if not isinstance(config, VQVAEConfig):
            raise ConfigurationError(f"start_vqvae takes a VQVAEConfig, not a {type(config).__name__}: use start.")
        self._start(train_vqvae, config, file_paths, output_dir, device, callback)

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
            A run is in progress.
        """
        run = train_vqvae if isinstance(config, VQVAEConfig) else train
        self._start(run, config, file_paths, output_dir, device, callback, checkpoint_path)

    def _start(
        self,
        run: Callable[..., dict[str, Any]],
        config: AnyConfig,
        files: Sequence[Path | str],
        output_dir: Path | str,
        device: str,
        callback: MetricsCallback | None,
        checkpoint: Path | str | None = None,
    ) -> None:
        with self._lock:
            if self.is_running():
                raise RuntimeError("A training is running already. Cancel it and wait for its end first.")
            self._cancel = cancel = StopRequest()
            self._error = self._result = None
            self._ended = ended = threading.Event()

            def work() -> None:
                try:
                    self._result = run(config, files, output_dir, device, callback, cancel, checkpoint)
                except Exception as exc:  # kept for `last_error`
                    self._error = exc
                finally:
                    atexit.unregister(self._end_at_exit)
                    ended.set()

            # A daemon, so that the end of the interpreter comes to `_end_at_exit` instead of waiting for all epochs.
            self._thread = threading.Thread(target=work, name="distill-training", daemon=True)
            atexit.register(self._end_at_exit)
            self._thread.start()

    def _end_at_exit(self) -> None:
        self.cancel()
        self._join(EXIT_SECONDS)

    def cancel(self) -> None:
        """Request the run to stop with a checkpoint; returns at once."""
        self._cancel.set()

    def finish(self) -> None:
        """Request the run to end as finished, with the epochs that it has done; returns at once."""
        self._cancel.finish()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the run's end, at most ``timeout`` seconds; return whether it has ended.

        Raises
        ------
        KeyboardInterrupt
            Ctrl-C was pressed; the run has been cancelled and has ended with its checkpoint.  A second Ctrl-C does
            not wait for that.
        """
        try:
            self._join(timeout)
        except KeyboardInterrupt:
            self.cancel()
            self._join(None)
            raise
        return not self.is_running()

    def _join(self, timeout: float | None) -> None:
        if self._thread is None:
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._ended.is_set():
            seconds_left = _SIGNAL_SECONDS if deadline is None else min(_SIGNAL_SECONDS, deadline - time.monotonic())
            if seconds_left <= 0:
                return
            self._ended.wait(seconds_left)
        self._thread.join()

    def is_running(self) -> bool:
        """Whether a run is in progress."""
        return self._thread is not None and not self._ended.is_set()

    def last_error(self) -> Exception | None:
        """Return the error that ended the last run, or None."""
        return self._error

    def result(self) -> dict[str, Any] | None:
        """Return what `train` or `train_vqvae` returned for the last run; None while it runs or if it failed."""
        return self._result
