"""The run that the window shows: starting, stopping, resuming and opening runs."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from distill import paths
from distill.audio.decoding.sound_fix import SoundFix
from distill.config.factory import config_from_model, make_config
from distill.config.training import AnyConfig
from distill.errors import ConfigurationError
from distill.events import UNSAVED, TrainingCompleteEvent, TrainingNotice
from distill.gui.background_tasks import BackgroundTask
from distill.gui.engine.bridge import TrainingBridge
from distill.gui.engine.engine_protocol import EngineSource
from distill.gui.engine.run_follower import RunFollower
from distill.gui.engine.training_jobs import ResumeJob, TrainJob
from distill.gui.user_errors import error_text
from distill.runs.folder import new_run_dir
from distill.runs.loaded_run import LoadedRun
from distill.runs.record_changes import mark_finished, parts_missing_text
from distill.runs.run_record import RunRecord

log = logging.getLogger(__name__)


class RunController(QObject):
    """Holds the run that is shown: the running one, the last one, or one that was opened."""

    run_opened = Signal(object)  # LoadedRun
    #: A run that was requested is not opened; `noticed` says why.
    opening_failed = Signal()
    new_run_began = Signal(str)  # its family
    noticed = Signal(str, str, str)  # topic, message, level
    can_resume_changed = Signal()
    #: The shown run was marked as finished, without the engine.
    marked_finished = Signal()

    def __init__(self, engine: EngineSource, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.bridge = TrainingBridge(engine, self)
        self.bridge.run_ended.connect(self._on_run_ended)
        self.bridge.noticed.connect(self._on_noticed)
        self.folder: Path | None = None
        self._max_epochs = 0  # of the run that is shown: the epoch at which it ends
        #: Number of epochs that a run which was finished early was started for, otherwise 0.
        self.planned_epochs = 0
        self._is_finished = self._has_failed = False
        self._has_epochs = False
        self._skipped_sounds = 0
        #: Whether another process trains the run that is shown: it can only be looked at.
        self.is_elsewhere = False
        self.follower = RunFollower(self)
        self.follower.ended.connect(self._on_followed_ended)
        self._reading_run: BackgroundTask | None = None
        #: The run that is being read, and will be shown; None if none is.
        self.opening: Path | None = None
        #: Whether the user requested the run that was opened last.
        self.was_requested = False

    def start_new(
        self,
        family: str,
        preset: str,
        epochs: int,
        sounds: Sequence[Path],
        name: str,
        changes: Mapping[str, Any] | None = None,
        fixes: Mapping[Path, SoundFix] | None = None,
        start_point: tuple[Path, AnyConfig] | None = None,
    ) -> bool:
        """Start a new run; return whether the settings allow it, otherwise a notice says why not.

        Parameters
        ----------
        family, preset, epochs
            As in the controls.
        sounds
            Files to train on.
        name
            The user's name for it.
        changes
            Settings that differ from the preset.
        fixes
            What is changed in sounds when they are read.
        start_point
            Model or checkpoint to start from, and its settings; None for none.
        """
        try:
            run_config = make_config(family, len(sounds), preset, epochs, **(changes or {}))
            if start_point is not None:
                run_config = config_from_model(run_config, start_point[1], changes or {})
        except ConfigurationError as exc:
            self.noticed.emit("start", str(exc), "error")
            return False
        start_from = None if start_point is None else start_point[0]
        self.start_with(run_config, sounds, name, new_run_dir(name), fixes, start_from)
        return True

    def start_with(
        self,
        config: AnyConfig,
        sounds: Sequence[Path],
        name: str,
        folder: Path,
        fixes: Mapping[Path, SoundFix] | None = None,
        start_from: Path | None = None,
    ) -> None:
        """Start a new run with these settings, in this folder; the rest is as in `start_new`."""
        self._cancel_reading()
        self.folder = folder
        self._note_beginning(config.max_epochs)
        self.new_run_began.emit(config.family)
        job = TrainJob(config, tuple(sounds), folder, paths.models_dir(), name, dict(fixes or {}), start_from)
        self.bridge.start(job)

    def resume(self, epochs: int, sounds: Path | None = None) -> None:
        """Resume the run that is shown.

        Parameters
        ----------
        epochs
            Extends the run where it is more than the run has; 0 does not.
        sounds
            Folder in which the run's sounds are now, where they have moved.

        A run that another process trains is left to it.
        """
        if self.folder is None:
            return
        if self.is_elsewhere:
            text = self.tr("Another Distill is training this run. Stop it there before you resume it here.")
            self.noticed.emit("open", text, "warning")
            return
        self._cancel_reading()
        extended_epochs = epochs if self._max_epochs and epochs > self._max_epochs else None
        self._note_beginning(extended_epochs or self._max_epochs)
        self.bridge.start(ResumeJob(self.folder, paths.models_dir(), extended_epochs, sounds))

    def finish(self) -> None:
        """End the running or shown run as finished, with the epochs it has."""
        if self.bridge.is_running:
            self.bridge.finish()
        elif self.folder is not None:
            folder = self.folder
            self._cancel_reading()
            self._reading_run = BackgroundTask(lambda _progress, _cancel: _mark_finished(folder), self)
            self._reading_run.succeeded.connect(self._on_marked_finished)
            self._reading_run.failed.connect(self._on_read_failed)
            self._reading_run.ended.connect(self._on_reading_ended)
            self._reading_run.start()

    def close_run(self) -> None:
        """Show no run."""
        self._cancel_reading()
        self.folder, self._has_epochs = None, False
        self._note_beginning(0)
        self.can_resume_changed.emit()

    def open(self, folder: Path, is_requested: bool = True) -> None:
        """Show a run.  If the user did not request it (the last run, at the start), a missing one is no error."""
        if self.bridge.is_running:
            self.noticed.emit("open", self.tr("Pause the training before you open another run."), "warning")
            self.opening_failed.emit()
            return
        self._cancel_reading()
        self.was_requested, self.opening = is_requested, folder
        self._reading_run = BackgroundTask(lambda _progress, _cancel: LoadedRun.read(folder), self)
        self._reading_run.succeeded.connect(self._on_run_read)
        self._reading_run.failed.connect(self._on_read_failed if is_requested else self._on_restore_failed)
        self._reading_run.ended.connect(self._on_reading_ended)
        self._reading_run.start()

    def show(self, run: LoadedRun) -> None:
        """Show a run that was read already, without a request of the user."""
        self._cancel_reading()
        self.was_requested = False
        self._on_run_read(run)

    def can_resume(self, epochs: int) -> bool:
        """Return whether the shown run is not at its end, or is to be extended to ``epochs``."""
        if self.folder is None or self.bridge.is_running or self.is_elsewhere:
            return False
        return not self._is_finished or epochs > self._max_epochs

    @property
    def is_paused(self) -> bool:
        """Whether the shown run was stopped before its end, without an error: resuming is the expected next step."""
        is_run_at_rest = self.folder is not None and not self.bridge.is_running and not self.is_elsewhere
        return is_run_at_rest and not self._is_finished and not self._has_failed

    def can_finish(self) -> bool:
        """Return whether the shown run is not running and can be marked as finished."""
        is_run_at_rest = self.folder is not None and not self.bridge.is_running and not self.is_elsewhere
        return is_run_at_rest and not self._is_finished and self._has_epochs

    def _note_beginning(self, epochs: int) -> None:
        self._follow(None)
        self._max_epochs, self._is_finished, self._has_failed, self._skipped_sounds = epochs, False, False, 0
        self.planned_epochs = 0

    def _cancel_reading(self) -> None:
        if self._reading_run is not None:
            self._reading_run.cancel()
            self._reading_run = self.opening = None

    def _on_run_read(self, run: LoadedRun) -> None:
        self.folder = run.folder
        self._take_record(run.record)
        self._has_epochs = bool(run.history.epochs)
        self._follow(run if run.host is not None else None)
        self.run_opened.emit(run)
        self.can_resume_changed.emit()

    def _follow(self, run: LoadedRun | None) -> None:
        """Follow a run that another process trains, or none."""
        self.is_elsewhere = run is not None
        if run is None:
            self.follower.stop()
        else:
            self.follower.follow(run)

    def _on_followed_ended(self, folder: Path) -> None:
        if folder == self.folder:
            self.open(folder, is_requested=False)

    def _on_read_failed(self, error: Exception) -> None:
        self.noticed.emit("open", error_text(error), "error")
        self.opening_failed.emit()

    def _on_restore_failed(self, error: Exception) -> None:
        log.info("The last run cannot be shown: %s", error)  # it was moved or deleted: no news for the user

    def _on_reading_ended(self) -> None:
        if self._reading_run is self.sender():
            self._reading_run = self.opening = None

    def _take_record(self, record: RunRecord) -> None:
        self._max_epochs, self.planned_epochs = record.config.max_epochs, record.planned_epochs or 0
        self._is_finished, self._has_failed = record.status == "finished", record.status in ("failed", UNSAVED)

    def _on_marked_finished(self, result: tuple[RunRecord | None, str]) -> None:
        record, missing = result
        if self.folder is None or self.bridge.is_running:
            return
        if record is None:  # its model is not there or not complete: the engine writes it
            self._note_beginning(self._max_epochs)
            self.bridge.start(ResumeJob(self.folder, paths.models_dir()), is_to_finish=True)
            return
        self._take_record(record)
        self._is_finished = True
        self.marked_finished.emit()
        if missing:
            self.noticed.emit("finish", missing, "warning")
        self.can_resume_changed.emit()

    def _on_noticed(self, notice: TrainingNotice) -> None:
        message = notice.message
        if notice.topic == "skipped":
            self._skipped_sounds += 1
            if self._skipped_sounds > 1:
                message = self.tr("{0} sounds are skipped. The last one: {1}").format(self._skipped_sounds, message)
        self.noticed.emit(notice.topic, message, notice.level)

    def _on_run_ended(self, ending: TrainingCompleteEvent) -> None:
        self._has_epochs = bool(self.bridge.history.epochs)
        if ending.outcome in ("failed", UNSAVED) and self.bridge.unsaved_model is None:
            self.noticed.emit("run", ending.error or self.tr("The training failed."), "error")
        if self.bridge.record is None:  # it failed before there was a record: nothing to resume
            self.folder = None
        else:
            self._take_record(self.bridge.record)
        self._is_finished, self._has_failed = ending.outcome == "finished", ending.outcome in ("failed", UNSAVED)
        self.can_resume_changed.emit()


def _mark_finished(folder: Path) -> tuple[RunRecord | None, str]:
    """Mark a run at rest as finished; return its record, or None where the engine must end it, and what it lacks."""
    is_done, missing = mark_finished(folder), parts_missing_text(folder)
    return RunRecord.load(folder) if is_done else None, missing
