"""Shows the current run in controls, plots, previews and notices, and carries out what the controls request."""

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from statistics import median

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from distill import paths
from distill.config.family_catalog import FamilyInfo, family_info
from distill.config.training import AnyConfig
from distill.events import (
    EpochMetrics,
    PreviewEvent,
    StepMetrics,
    TrainingCompleteEvent,
    VQEpochMetrics,
    VQStepMetrics,
)
from distill.gui.desktop.dialog_folders import StartFolders
from distill.gui.engine.engine_protocol import EngineSource
from distill.gui.engine.run_controller import RunController
from distill.gui.engine.run_state import RunState
from distill.gui.engine.training_jobs import ResumeJob, TrainJob
from distill.gui.plots.panel import PlotsPanel
from distill.gui.previews.panel import PreviewPanel
from distill.gui.sounds.presenter import SoundsPresenter
from distill.gui.training.advanced_settings_panel import SettingsPanel
from distill.gui.training.advanced_settings_presenter import SettingsPresenter
from distill.gui.training.controls import TrainingControls
from distill.gui.training.missing_sounds_notice import SoundLocator
from distill.gui.training.run_state_messages import end_text, finished_text, interruption_text, state_text
from distill.gui.training.start_point_choice import StartChooser
from distill.gui.training.unsaved_model_offer import UnsavedModelOffer
from distill.gui.widgets.notices import Level, NoticeBar
from distill.gui.window_part import WindowPart
from distill.metrics_history import AnyHistory, MetricsHistory
from distill.names import free_name
from distill.runs.loaded_run import LoadedRun
from distill.runs.preview_files import PreviewSound
from distill.runs.queue import QueueEntry
from distill.settings import WindowSettings
from distill.training.steps.eta import GUESS_SECONDS, GUESS_STEPS

#: Topic of the warning about overfitting, which is shown once for each run.
OVERFITTING = "overfitting"


class TrainingPresenter(QObject, WindowPart):
    """Starts, pauses, finishes and resumes runs for the controls, and keeps all panels at the run that is shown."""

    #: Another run is shown, or none.
    run_changed = Signal()
    #: Folder of the shown run if it has ended and its family has codebooks, otherwise None.
    codes_changed = Signal(object)  # Path or None

    def __init__(
        self,
        engine: EngineSource,
        sounds: SoundsPresenter,
        controls: TrainingControls,
        advanced: SettingsPanel,
        plots: PlotsPanel,
        previews: PreviewPanel,
        notices: NoticeBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._sounds, self._controls, self._plots = sounds, controls, plots
        self._previews, self._notices = previews, notices
        self.runs = RunController(engine, self)
        self.bridge = self.runs.bridge
        self.settings = SettingsPresenter(controls, advanced, self)
        self.unsaved = UnsavedModelOffer(notices, controls, self)
        self.origin = StartChooser(controls, notices, self)
        advanced.origin_requested.connect(self.origin.choose_file)
        self.origin.changed.connect(self._on_origin_changed)
        #: Where the choice of a run starts.
        self.starts = StartFolders(self)
        self._locator = SoundLocator(controls, notices, self)
        self._locator.folder_chosen.connect(self._on_sounds_folder_chosen)
        self._has_set_epochs = False  # since the run is shown; until then the field is for the next run
        self._first_step_at: float | None = None  # monotonic
        self._epoch_began_at: float | None = None  # monotonic
        self._run_sounds = 0  # of the run that was started last
        self._followed: LoadedRun | None = None  # the shown run, if another process trains it
        self._followed_previews: set[Path] = set()
        self._is_finished_by_user = False
        #: Seconds for an epoch and a sound, by family, as measured on this computer.
        self._family_speeds: dict[str, float] = {}
        #: Names of earlier runs, so that a new one gets another.
        self.names_in_use: Callable[[], Collection[str]] = frozenset
        self._run_topics: set[str] = set()  # of the notices about the shown run
        self._warned: set[tuple[Path | None, str]] = set()  # run and topic of warnings that are shown only once
        controls.start_requested.connect(self.start)
        controls.pause_requested.connect(self.pause)
        controls.finish_requested.connect(self.finish)
        controls.resume_requested.connect(self.resume)
        controls.family_chosen.connect(self._on_family_chosen)
        controls.epochs.valueChanged.connect(self._on_epochs_changed)
        sounds.sounds_changed.connect(self._on_sounds_changed)
        sounds.replaced.connect(self._on_sounds_replaced)
        self.runs.run_opened.connect(self._on_run_opened)
        self.runs.new_run_began.connect(self._on_new_run_began)
        self.runs.noticed.connect(self._on_noticed)
        self.runs.marked_finished.connect(self._on_marked_finished)
        self.runs.follower.grown.connect(self._on_grown)
        self.runs.follower.previews_found.connect(self._on_previews_found)
        self.runs.can_resume_changed.connect(self._update_resume)
        self.bridge.state_changed.connect(self._on_state_changed)
        self.bridge.history_replaced.connect(self._on_history_replaced)
        self.bridge.data_arrived.connect(plots.mark_changed)
        self.bridge.data_arrived.connect(self._on_data)
        self.bridge.preparation_progressed.connect(controls.show_preparation)
        self.bridge.epoch_finished.connect(self._on_epoch)
        self.bridge.preview_made.connect(self._on_preview)
        self.bridge.run_ended.connect(self._on_run_ended)
        self._on_family_chosen(controls.family_key)

    def restore(self, settings: WindowSettings) -> None:
        """Set the controls as they were, and show the run that was shown."""
        self.settings.restore(settings.advanced)
        self._controls.choose(settings.family, settings.preset, settings.epochs)
        self._family_speeds = dict(settings.epoch_seconds)
        if settings.run:
            self.runs.open(Path(settings.run), is_requested=False)

    def save(self, settings: WindowSettings) -> None:
        """Keep the controls and the run that is shown."""
        settings.family, settings.preset = self._controls.family_key, self._controls.preset_key
        settings.epochs = self._controls.epochs.value()
        settings.advanced, settings.epoch_seconds = self.settings.to_save(), dict(self._family_speeds)
        settings.run = str(self.runs.folder) if self.runs.folder is not None else ""

    def flush(self) -> None:
        """Refuse to close while a model is only in memory.

        Raises
        ------
        DistillError
            There is such a model.
        """
        self.unsaved.refuse_to_lose()

    def start(self) -> None:
        """Start a new run on the listed sounds."""
        self._notices.forget_all()
        self._run_topics.clear()
        name = free_name(self._controls.run_name, self.names_in_use())
        has_begun = self.runs.start_new(
            self._controls.family_key, self._controls.preset_key, self._controls.epochs.value(),
            self._sounds.usable(), name, self.settings.changes, self._sounds.fixes(), self._start_point(),
        )  # fmt: skip
        if has_begun:
            self._controls.advanced.setChecked(False)  # the previews are of interest now
            self.run_changed.emit()

    def _on_origin_changed(self) -> None:
        choice = self.origin.choice
        self._sounds.show_known(None if choice is None else choice.split)

    def _start_point(self) -> tuple[Path, AnyConfig] | None:
        """Return the file that the next run starts from, and its settings."""
        choice = self.origin.choice
        return None if choice is None else (choice.path, choice.config)

    def start_queued(self, entry: QueueEntry, config: AnyConfig, sounds: Sequence[Path]) -> None:
        """Start the run of an entry of the queue; what was said about it before stays, the controls do, too."""
        self._forget_run_notices()
        self.runs.start_with(config, sounds, entry.name, entry.run_dir, entry.fixes, entry.start_from)
        self.run_changed.emit()

    def resume_queued(self, run: LoadedRun) -> None:
        """Show and resume the run of an entry of the queue; notices and controls stay as in `start_queued`."""
        self.runs.show(run)
        self._forget_run_notices()  # it goes on now
        self._resume()

    def _on_new_run_began(self, family: str) -> None:
        """Show that a new run begins."""
        self._expect_end()
        self.unsaved.show_again()
        self._previews.expect_previews(family_info(family))
        self._controls.show_progress(0.0)
        self._has_set_epochs = False

    def _expect_end(self) -> None:
        """Note that the run which begins now ends by itself, unless the user finishes it."""
        self._is_finished_by_user = False
        self._locator.forget()
        self._controls.show_finishing(False)

    def pause(self) -> None:
        """Stop the run under way with a checkpoint."""
        self._controls.show_finishing(False)
        self.bridge.stop()
        self._controls.show_state(self.bridge.state)  # it may already be STOPPING, to finish

    def finish(self) -> None:
        """End the running or shown run as finished, with the epochs that are done."""
        self._is_finished_by_user = True
        self._controls.show_finishing(True)
        self.runs.finish()

    def close_run(self) -> None:
        """Show no run."""
        self.runs.close_run()
        self._forget_run_notices()
        self._previews.show_previews([])
        self._plots.show_history(MetricsHistory(), None)
        self._plots.clear_marks()
        self.settings.show_config(None)
        self._on_family_chosen(self._controls.family_key)
        self._controls.show_progress(0.0)
        self._controls.show_message("")
        self.codes_changed.emit(None)
        self.run_changed.emit()

    def resume(self) -> None:
        """Resume the run that is shown."""
        self._notices.forget_all()
        self.unsaved.show_again()
        self._resume()

    def extend(self, epochs: int) -> None:
        """Make the run that is shown longer, and resume it."""
        self._controls.epochs.setValue(epochs)
        self._has_set_epochs = True
        self.resume()

    def _resume(self, sounds: Path | None = None) -> None:
        self._expect_end()
        wanted, self._has_set_epochs = self._wanted_epochs(), False
        self.runs.resume(wanted, sounds)

    def _on_sounds_folder_chosen(self, folder: Path) -> None:
        """Resume the run that is shown, whose sounds are now in this folder."""
        self._notices.forget_all()
        self._resume(folder)

    def choose_run(self) -> None:
        """Let the user choose a run's folder to show."""
        start = self.starts.start(paths.runs_dir())
        folder = QFileDialog.getExistingDirectory(self._controls, self.tr("Open the folder of a run"), str(start))
        if folder:
            self.runs.open(Path(folder))

    def _on_family_chosen(self, family: str) -> None:
        if self.runs.folder is not None:  # plots and previews belong to the run that is shown
            return
        info = family_info(family)
        self._plots.show_monitor(info.monitor)
        self._previews.show_family(info)

    def _on_sounds_changed(self) -> None:
        count = len(self._sounds.usable())
        self._controls.show_has_sounds(count > 0)
        self.settings.show_sound_count(count)
        self._controls.propose_name(self._sounds.name)
        self._controls.show_speeds(self._family_speeds, count)

    def _on_sounds_replaced(self) -> None:
        """Start afresh with another folder; the run that was shown stays in the list of runs."""
        if not self.bridge.is_running and self.runs.folder is not None:
            self.close_run()

    def _on_run_opened(self, run: LoadedRun) -> None:
        config = run.record.config
        asked = run.record.epochs_asked
        self._forget_run_notices()
        if self.runs.was_requested:  # the last run, which is restored at the start, does not change the controls
            family = config.family if self.origin.choice is None else ""  # the next run keeps that of its model
            self._controls.choose(family, "", asked)
        self._has_set_epochs = False
        self._update_resume()
        self._controls.show_progress(run.share_done)
        self.settings.show_run(run, is_wanted=self.runs.was_requested)
        info = family_info(config.family)
        self._plots.show_monitor(info.monitor)
        self._plots.show_history(run.history, config)
        self._previews.show_previews(run.previews)
        self._followed_previews = {sound.path for sound in run.previews}
        self._show_losses(run.history)
        self._previews.show_family(info)
        self._controls.show_message(state_text(run))
        self._followed = run if run.host is not None else None
        if run.host is None:  # otherwise its sounds are on the other computer, and nothing has happened to it
            if run.record.status != "finished":
                self._locator.report(run.record, run.missing)
            if run.record.status == "running":
                self._on_noticed("interrupted", interruption_text(run), "warning")  # the newest notice is in front
        self.run_changed.emit()
        self._report_codes(info)

    def _on_grown(self) -> None:
        """Show what another process has trained meanwhile."""
        run = self._followed
        if run is not None:
            self._plots.mark_changed()
            self._show_losses(run.history)
            self._controls.show_progress(run.share_done)
            self._controls.show_message(state_text(run))

    def _on_previews_found(self, previews: Sequence[PreviewSound]) -> None:
        if self._followed is None:
            return
        for sound in sorted(previews, key=lambda sound: sound.epoch):
            if sound.path not in self._followed_previews:
                self._followed_previews.add(sound.path)
                self._previews.add(sound.path)

    def _on_state_changed(self, state: RunState) -> None:
        self._controls.show_state(state)
        self._update_resume()
        if state is RunState.PREPARING:
            self._first_step_at = self._epoch_began_at = None
            self._sounds.scanner.pause()  # the engine decodes the same files
            self.codes_changed.emit(None)
        elif state is RunState.IDLE:
            self._sounds.scanner.resume()

    def _on_history_replaced(self) -> None:
        if self.bridge.config is not None:
            self._plots.show_monitor(family_info(self.bridge.config.family).monitor)
            if isinstance(self.bridge.job, TrainJob):
                self._run_sounds = len(self.bridge.job.file_paths)
                self.settings.show_config(self.bridge.config, self._run_sounds)
        self._plots.show_history(self.bridge.history, self.bridge.config)
        self._show_losses(self.bridge.history)

    def _show_losses(self, history: AnyHistory) -> None:
        self._previews.show_losses({epoch.epoch: epoch.val_loss for epoch in history.epochs})

    def _on_data(self) -> None:
        step = self.bridge.last_step
        if step is not None:
            self._show_position(step)

    def _show_position(self, step: StepMetrics | VQStepMetrics) -> None:
        """Show the position in the run, with the duration of an epoch once the steps have become steady."""
        now = time.monotonic()
        self._first_step_at = self._first_step_at or now
        steps, seconds = max(step.total_steps, 1), 0.0
        if now - self._first_step_at >= GUESS_SECONDS:
            seconds = steps * median(self.bridge.history.step_column("step_time_s")[-GUESS_STEPS:])
        self._controls.show_position(step.epoch, self.bridge.total_epochs, (step.step + 1) / steps, seconds)

    def _on_noticed(self, topic: str, message: str, level: Level) -> None:
        if topic == "speed":
            self._controls.show_computing(message)
            return
        if topic == OVERFITTING and (self.runs.folder, topic) in self._warned:
            return
        self._warned.add((self.runs.folder, topic))
        self._run_topics.add(topic)
        self._notices.notify(topic, message, level)

    def _forget_run_notices(self) -> None:
        self._locator.forget()
        for topic in self._run_topics:
            self._notices.forget(topic)
        self._run_topics.clear()

    def _on_epoch(self, epoch: EpochMetrics | VQEpochMetrics) -> None:
        self._controls.show_epoch(epoch)
        self._show_losses(self.bridge.history)
        now = time.monotonic()
        if self._epoch_began_at is not None and self.bridge.config is not None and self._run_sounds:
            family_speed = (now - self._epoch_began_at) / self._run_sounds
            self._family_speeds[self.bridge.config.family] = round(family_speed, 5)
        self._epoch_began_at = now

    def _on_preview(self, preview: PreviewEvent) -> None:
        self._previews.add(Path(preview.audio_path))

    def _on_run_ended(self, ending: TrainingCompleteEvent) -> None:
        done, total = len(self.bridge.history.epochs), self.bridge.total_epochs
        self._has_set_epochs = False  # while it trained, the field was for the next run
        if self.bridge.unsaved_model is not None:
            self.unsaved.offer(self.bridge.unsaved_model, ending.error or "", self.runs.folder)
        self._controls.show_message(end_text(ending.outcome, done, total, self._is_finished_by_user))
        self._controls.show_speeds(self._family_speeds, len(self._sounds.usable()))
        if ending.outcome == "finished":
            self.unsaved.forget(self.runs.folder)
            self._controls.show_progress(1.0)
        if ending.outcome == "failed" and isinstance(self.bridge.job, ResumeJob):
            self._locator.check(self.bridge.job.run_dir, self.bridge.job.sounds)
        if self.bridge.config is not None:
            self._report_codes(family_info(self.bridge.config.family))

    def _on_marked_finished(self) -> None:
        self._controls.show_message(finished_text())
        self._controls.show_progress(1.0)

    def _report_codes(self, info: FamilyInfo) -> None:
        self.codes_changed.emit(self.runs.folder if info.monitor == "codebook" else None)

    def _update_resume(self) -> None:
        can_resume = self.runs.can_resume(self._wanted_epochs())
        self._controls.show_can_resume(can_resume, self.runs.can_finish(), self.runs.is_paused)

    def _wanted_epochs(self) -> int:
        """Return the requested epochs of the shown run, 0 if none were requested."""
        return self._controls.epochs.value() if self._has_set_epochs else self.runs.planned_epochs

    def _on_epochs_changed(self) -> None:
        self._has_set_epochs = True
        self._update_resume()
