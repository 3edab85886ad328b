"""Runs as the window handles them: which one is shown, and starting, stopping, continuing and opening them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from distill import paths
from distill.config.factory import make_config
from distill.errors import ConfigurationError, DistillError
from distill.events import TrainingCompleteEvent, TrainingNotice
from distill.gui.engine.bridge import TrainingBridge
from distill.gui.engine.jobs import EngineSource, ResumeJob, TrainJob
from distill.gui.widgets.background import BackgroundTask
from distill.runs.actions import mark_finished
from distill.runs.folder import RunRecord
from distill.runs.loaded_run import LoadedRun


class Session(QObject):
    """Holds the run that is shown: the one under way, or the last one, or one that was opened."""

    run_opened = Signal(object)  # ShownRun
    new_run_began = Signal()
    told = Signal(str, str, str)  # topic, message, level
    can_resume_changed = Signal()
    #: The shown run was called finished, without the engine.
    marked_finished = Signal()

    def __init__(self, engine: EngineSource, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.bridge = TrainingBridge(engine, self)
        self.bridge.run_ended.connect(self._on_run_ended)
        self.bridge.noticed.connect(self._on_noticed)
        self.folder: Path | None = None
        self._epochs_asked = 0  # of the run that is shown
        self._is_finished = False
        self._has_epochs = False
        self._skipped = 0
        self._reading: BackgroundTask | None = None
        #: Whether the user asked for the run that was opened last.
        self.was_asked = False

    def start_new(
        self,
        family: str,
        preset: str,
        epochs: int,
        sounds: Sequence[Path],
        name: str,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        """Start a new run, with settings that differ from the preset's in ``changes``."""
        try:
            config = make_config(family, len(sounds), preset, epochs, **(changes or {}))
        except ConfigurationError as exc:
            self.told.emit("start", str(exc), "error")
            return
        self._cancel_reading()
        self.folder = paths.new_run_dir(name)
        self._begin(epochs)
        self.new_run_began.emit()
        self.bridge.start(TrainJob(config, tuple(sounds), self.folder, paths.models_dir(), name))

    def resume(self, epochs: int) -> None:
        """Continue the run that is shown; more epochs than it was made for make it longer, and 0 asks for none."""
        if self.folder is None:
            return
        self._cancel_reading()
        longer = epochs if self._epochs_asked and epochs > self._epochs_asked else None
        self._begin(longer or self._epochs_asked)
        self.bridge.start(ResumeJob(self.folder, paths.models_dir(), longer))

    def finish(self) -> None:
        """Finish the run under way, or the one that is shown: with the epochs that it has made."""
        if self.bridge.is_running:
            self.bridge.finish()
        elif self.folder is not None:
            folder = self.folder
            self._cancel_reading()
            self._reading = BackgroundTask(lambda _progress, _cancel: mark_finished(folder), self)
            self._reading.succeeded.connect(self._on_marked)
            self._reading.failed.connect(self._on_read_failed)
            self._reading.start()

    def close_run(self) -> None:
        """Show no run any more."""
        self._cancel_reading()
        self.folder, self._has_epochs = None, False
        self._begin(0)
        self.can_resume_changed.emit()

    def open(self, folder: Path, is_asked: bool = True) -> None:
        """Show a run; where the user did not ask for it (the last run, at the start), its loss is no error."""
        if self.bridge.is_running:
            self.told.emit("open", self.tr("Pause the training before you open another run."), "warning")
            return
        self._cancel_reading()
        self.was_asked = is_asked
        self._reading = BackgroundTask(lambda _progress, _cancel: LoadedRun.read(folder), self)
        self._reading.succeeded.connect(self._on_read)
        if is_asked:
            self._reading.failed.connect(self._on_read_failed)
        self._reading.start()

    def can_resume(self, epochs: int) -> bool:
        """Whether there is something to continue: a run that has not reached its end, or is to have ``epochs``."""
        if self.folder is None or self.bridge.is_running:
            return False
        return not self._is_finished or epochs > self._epochs_asked

    def can_finish(self) -> bool:
        """Whether the run that is shown, and not under way, can be called finished as it is."""
        return self.folder is not None and not self.bridge.is_running and not self._is_finished and self._has_epochs

    def _begin(self, epochs: int) -> None:
        self._epochs_asked, self._is_finished, self._skipped = epochs, False, 0

    def _cancel_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _on_read(self, run: LoadedRun) -> None:
        self._reading = None
        self.folder = run.folder
        self._epochs_asked = run.record.config.max_epochs
        self._is_finished = run.record.status == "finished"
        self._has_epochs = bool(run.history.epochs)
        self.run_opened.emit(run)
        self.can_resume_changed.emit()

    def _on_read_failed(self, error: Exception) -> None:
        self._reading = None
        self.told.emit("open", str(error), "error")

    def _on_marked(self, is_done: bool) -> None:
        self._reading = None
        if self.folder is None or self.bridge.is_running:
            return
        if not is_done:  # killed before it had a model: the engine writes one
            self._begin(self._epochs_asked)
            self.bridge.start(ResumeJob(self.folder, paths.models_dir()), is_to_finish=True)
            return
        self._is_finished = True
        self._read_epochs_requested()
        self.marked_finished.emit()
        self.can_resume_changed.emit()

    def _on_noticed(self, notice: TrainingNotice) -> None:
        message = notice.message
        if notice.topic == "skipped":
            self._skipped += 1
            if self._skipped > 1:
                message = self.tr("{0} sounds are left out. The last one: {1}").format(self._skipped, message)
        self.told.emit(notice.topic, message, notice.level)

    def _on_run_ended(self, ending: TrainingCompleteEvent) -> None:
        self._is_finished = ending.outcome == "finished"
        self._has_epochs = bool(self.bridge.history.epochs)
        if ending.outcome == "failed":
            self.told.emit("run", ending.error or self.tr("The training failed."), "error")
        self._read_epochs_requested()
        self.can_resume_changed.emit()

    def _read_epochs_requested(self) -> None:
        if self.folder is not None:
            try:
                self._epochs_asked = RunRecord.load(self.folder).config.max_epochs
            except DistillError:  # it failed before there was a record: nothing to continue
                self.folder = None
