"""An engine and a device that do what a test says, and check on which thread they are asked."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event as CancelEvent
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from distill.audio.decoding.sound_fix import SoundFix
from distill.config.training import AnyConfig
from distill.events import (
    EpochMetrics,
    MetricsCallback,
    PreparationProgress,
    PreviewEvent,
    StepMetrics,
    TrainingCompleteEvent,
    TrainingNotice,
)
from distill.playback.output_device import OutputFormat
from distill.runs.folder import RunFolder
from distill.runs.run_record import RunRecord
from distill.training.stop_request import wants_finish

STEPS = 4


def step(epoch: int, number: int) -> StepMetrics:
    loss = 1.0 / (1 + epoch * STEPS + number)
    return StepMetrics(epoch, number, STEPS, loss, loss / 2, 3.0, 0.001, 1e-3, 0.01)


def epoch_end(epoch: int, total: int, gap: float = 0.1) -> EpochMetrics:
    return EpochMetrics(epoch, total, 0.5, 0.5 * (1 + gap), 0.4, 0.1, 3.0 - epoch, gap, 1e-3, 42.0, 1.0, 17)


class FakeEngine:
    """Replays events, as slowly as a test wants, until its epochs are over or it is cancelled."""

    def __init__(self, step_seconds: float = 0.002) -> None:
        self.step_seconds = step_seconds
        self.calls: list[str] = []
        self.cancel_seconds = 0.0  # how long the checkpoint at the end takes
        self.stops_after = 0  # epochs after which a run no longer improves; 0: never
        self.fail_with: Exception | None = None
        self.go_on = threading.Event()
        self.go_on.set()
        self.names: tuple[str, str] = ("", "")
        self.fixes: dict[Path, SoundFix] = {}
        self.start_from: Path | None = None
        self.located: Path | None = None  # folder in which the user says the sounds are

    def __call__(self) -> "FakeEngine":
        assert threading.current_thread() is not threading.main_thread(), "the window itself asked for the engine"
        return self

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
        self.calls.append("train")
        self.fixes, self.start_from = dict(fixes or {}), start_from
        self.names = (dataset_name, model_name)
        record = RunRecord(config, list(file_paths), dataset_name=dataset_name, model_name=model_name)
        return self._run(record, output_dir, 0, callback, cancel_event)

    def resume_run(
        self,
        run_dir: Path,
        callback: MetricsCallback | None = None,
        cancel_event: CancelEvent | None = None,
        max_epochs: int | None = None,
        models_dir: Path | None = None,
        sounds: Path | None = None,
    ) -> dict[str, Any]:
        self.calls.append(f"resume to {max_epochs}")
        self.located = sounds
        record = RunRecord.load(run_dir)
        first = len(list((run_dir / "checkpoints").iterdir()))
        return self._run(record, run_dir, first, callback, cancel_event)

    def _run(
        self, record: RunRecord, folder: Path, first: int, notify: MetricsCallback | None, cancel: CancelEvent | None
    ) -> dict[str, Any]:
        assert threading.current_thread() is not threading.main_thread(), "this is the window's thread"
        assert notify is not None
        assert cancel is not None
        run = RunFolder(folder, resuming=bool(first))
        try:
            record.save(folder)
            notify(PreparationProgress("Reading sounds", 1, 3))
            notify(TrainingNotice("speed", "Computing in float32.", "info"))
            self.go_on.wait(10)
            if self.fail_with is not None:
                notify(TrainingCompleteEvent(0, 0.1, None, None, None, None, "failed", str(self.fail_with)))
                raise self.fail_with
            outcome = self._epochs(record, run, first, notify, cancel)
            record.status = outcome
            record.save(folder)
        finally:
            run.close()
        notify(TrainingCompleteEvent(3, 1.0, 0.5, 0.5, 0.5, 1, outcome))  # type: ignore[arg-type]
        return {}

    def _epochs(
        self, record: RunRecord, run: RunFolder, first: int, notify: MetricsCallback, cancel: CancelEvent
    ) -> str:
        total = record.config.max_epochs
        for epoch in range(first, total):
            for number in range(STEPS):
                if cancel.is_set():
                    time.sleep(self.cancel_seconds)
                    if wants_finish(cancel) and (epoch or number):
                        return self._finish(record, run, epoch + bool(number), notify)
                    return "stopped"
                time.sleep(self.step_seconds)
                made = step(epoch, number)
                run.append_history([made])
                notify(made)
            run.append_history([epoch_end(epoch, total)])
            (run.checkpoints / f"checkpoint_epoch{epoch:04}.pt").touch()
            notify(epoch_end(epoch, total))
            for path in make_previews(run.previews, epoch):
                notify(PreviewEvent(epoch, str(path), 48_000))
            if epoch + 1 == self.stops_after:
                return "finished"
        notify(TrainingNotice("overfitting", "Overfitting: the gap is 30 %."))
        return "finished"

    def _finish(self, record: RunRecord, run: RunFolder, made: int, notify: MetricsCallback) -> str:
        """End the epoch under way where it stands, as the engine does."""
        notify(PreparationProgress("Learning to make new sounds", 1, 4))
        if made > len(list(run.checkpoints.iterdir())):
            run.append_history([epoch_end(made - 1, made)])
            (run.checkpoints / f"checkpoint_epoch{made - 1:04}.pt").touch()
            notify(epoch_end(made - 1, made))
        (run.path / "model.distill").touch()
        record.planned_epochs, record.config = record.config.max_epochs, replace(record.config, max_epochs=made)
        return "finished"


def make_previews(folder: Path, epoch: int) -> list[Path]:
    """Write what an epoch's previews are; return those that are told (an original is not)."""
    names = [
        f"preview_epoch{epoch:04}_00.wav",
        f"recon_epoch{epoch:04}_orig_00.wav",
        f"recon_epoch{epoch:04}_recon_00.wav",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for n, name in enumerate(names):
        soundfile.write(folder / name, tone(0.2, 220.0 * (n + 1)), 48_000, subtype="PCM_16")
    return [folder / names[0], folder / names[2]]


def tone(seconds: float, hertz: float = 330.0, sample_rate: int = 48_000) -> NDArray[np.float32]:
    time_axis = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.3 * np.sin(2 * np.pi * hertz * time_axis)).astype(np.float32)


class FakeOutput:
    """A device that plays nothing until a test says `finish`."""

    format = OutputFormat(48_000, 2)
    latency_seconds = 0.0
    underflows = 0
    is_stand_in = is_stalled = False

    def __init__(self, fill: Callable[[NDArray[np.float32]], bool], on_drained: Callable[[], None]) -> None:
        assert threading.current_thread() is not threading.main_thread(), "the window itself opened the device"
        self.fill, self.on_drained = fill, on_drained

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...

    def finish(self) -> None:
        block = np.zeros((4800, 2), dtype=np.float32)
        while self.fill(block):
            pass
        self.on_drained()


class FakeDevice:
    """Opens `FakeOutput`s and remembers them."""

    def __init__(self) -> None:
        self.outputs: list[FakeOutput] = []
        self.chosen: list[object] = []  # which device was asked for, each time

    def __call__(
        self,
        fill: Callable[[NDArray[np.float32]], bool],
        on_drained: Callable[[], None],
        chosen: object = None,
        live_seconds: float | None = None,
    ) -> FakeOutput:
        self.chosen.append(chosen)
        self.outputs.append(FakeOutput(fill, on_drained))
        return self.outputs[-1]
