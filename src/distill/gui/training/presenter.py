"""Between the runs and the panels that show them: controls, curves, previews, notices."""

import time
from pathlib import Path
from statistics import median

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from distill import paths
from distill.config.catalog import FamilyInfo, family_info
from distill.events import (
    EpochMetrics,
    PreviewEvent,
    StepMetrics,
    TrainingCompleteEvent,
    VQEpochMetrics,
    VQStepMetrics,
)
from distill.gui.engine.bridge import RunState
from distill.gui.engine.jobs import EngineSource, TrainJob
from distill.gui.engine.session import Session
from distill.gui.plots.panel import PlotsPanel
from distill.gui.previews.panel import PreviewPanel
from distill.gui.sounds.presenter import SoundsPresenter
from distill.gui.training.controls import TrainingControls
from distill.gui.training.settings_panel import SettingsPanel
from distill.gui.training.settings_presenter import SettingsPresenter
from distill.gui.widgets.notices import Level, NoticeBar
from distill.gui.widgets.panel import WindowPart
from distill.history import MetricsHistory
from distill.runs.loaded_run import LoadedRun
from distill.settings import WindowSettings

#: Seconds of steps after which the time that is left is guessed: the first steps are slow.
GUESS_SECONDS = 10.0

#: Newest steps that the guess goes by.
GUESS_STEPS = 100


class TrainingPresenter(QObject, WindowPart):
    """Carries out what the controls ask for, and shows the run that is shown."""

    #: Another run is shown: its folder is worth remembering.
    run_changed = Signal()
    #: Folder of the run that is shown, where that has ended and its family has codebooks; None otherwise.
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
        self.runs = Session(engine, self)
        self.bridge = self.runs.bridge
        self.settings = SettingsPresenter(controls, advanced, self)
        self._has_set_epochs = False  # since the run is shown: until then, the field speaks of the next one
        self._first_step_at: float | None = None  # monotonic
        controls.start_requested.connect(self.start)
        controls.pause_requested.connect(self.pause)
        controls.finish_requested.connect(self.finish)
        controls.resume_requested.connect(self.resume)
        controls.family_chosen.connect(self._on_family_chosen)
        controls.epochs.valueChanged.connect(self._on_epochs_changed)
        sounds.sounds_changed.connect(self._on_sounds_changed)
        self.runs.run_opened.connect(self._on_run_opened)
        self.runs.noticed.connect(self._on_told)
        self.runs.marked_finished.connect(self._on_marked_finished)
        self.runs.can_resume_changed.connect(self._update_resume)
        self.bridge.state_changed.connect(self._on_state_changed)
        self.bridge.history_replaced.connect(self._on_history_replaced)
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
        if settings.run:
            self.runs.open(Path(settings.run), is_requested=False)

    def save(self, settings: WindowSettings) -> None:
        """Keep the controls and the run that is shown."""
        settings.family, settings.preset = self._controls.family_key, self._controls.preset_key
        settings.epochs = self._controls.epochs.value()
        settings.advanced = self.settings.to_save()
        settings.run = str(self.runs.folder) if self.runs.folder is not None else ""

    def start(self) -> None:
        """Start a new run on the sounds that are listed."""
        self._notices.forget_all()
        self._previews.show_previews([])
        self._previews.show_family(family_info(self._controls.family_key))
        self._controls.show_progress(0.0)
        self._has_set_epochs = False
        self._controls.advanced.setChecked(False)  # the curves are what is looked at now
        self.runs.start_new(
            self._controls.family_key, self._controls.preset_key, self._controls.epochs.value(),
            self._sounds.usable(), self._sounds.name, self.settings.changes,
        )  # fmt: skip
        self.run_changed.emit()

    def pause(self) -> None:
        """Stop the run under way with a checkpoint."""
        self._controls.show_finishing(False)
        self.bridge.stop()
        self._controls.show_state(self.bridge.state)  # it may have been stopping already, to finish

    def finish(self) -> None:
        """Finish the run under way, or the one that is shown, with the epochs that it has made."""
        self._controls.show_finishing(True)
        self.runs.finish()

    def close_run(self) -> None:
        """Show no run any more: the one that is shown goes."""
        self.runs.close_run()
        self._previews.show_previews([])
        self._plots.show_history(MetricsHistory(), None)
        self.settings.show_config(None)
        self._controls.show_progress(0.0)
        self._controls.show_message("")
        self.codes_changed.emit(None)
        self.run_changed.emit()

    def resume(self) -> None:
        """Continue the run that is shown."""
        self._notices.forget_all()
        wanted, self._has_set_epochs = self._wanted_epochs(), False
        self.runs.resume(wanted)

    def choose_run(self) -> None:
        """Let the user choose a run's folder to show."""
        start = paths.runs_dir()
        folder = QFileDialog.getExistingDirectory(
            self._controls, self.tr("Open the folder of a run"), str(start if start.exists() else Path.home())
        )
        if folder:
            self.runs.open(Path(folder))

    def _on_family_chosen(self, family: str) -> None:
        info = family_info(family)
        self._plots.show_monitor(info.monitor)
        if not self._previews.grid.sound_count:  # what is listed is of the run that is shown
            self._previews.show_family(info)

    def _on_sounds_changed(self) -> None:
        count = len(self._sounds.usable())
        self._controls.show_has_sounds(count > 0)
        self.settings.show_sound_count(count)

    def _on_run_opened(self, run: LoadedRun) -> None:
        config = run.record.config
        asked = run.record.epochs_asked
        if self.runs.was_requested:  # the last run, which comes back at the start, does not change what is set
            self._controls.choose(config.family, "", asked)
        self._has_set_epochs = False
        self._update_resume()
        self._controls.show_progress(run.share_done)
        self.settings.show_run(run, is_wanted=self.runs.was_requested)
        info = family_info(config.family)
        self._plots.show_monitor(info.monitor)
        self._plots.show_history(run.history, config)
        self._previews.show_previews(run.previews)
        self._previews.show_family(info)
        name = run.record.model_name or run.folder.name
        done = self.tr("{0} of {1} epochs").format(len(run.history.epochs), asked)
        self._controls.show_message(self.tr("Shown: {0} · {1}").format(name, done))
        self.run_changed.emit()
        self._report_codes(info)

    def _on_state_changed(self, state: RunState) -> None:
        self._controls.show_state(state)
        self._update_resume()
        if state is RunState.PREPARING:
            self._first_step_at = None
            self._sounds.loader.pause()  # the engine decodes the same files
            self.codes_changed.emit(None)
        elif state is RunState.IDLE:
            self._sounds.loader.resume()

    def _on_history_replaced(self) -> None:
        if self.bridge.config is not None:
            self._plots.show_monitor(family_info(self.bridge.config.family).monitor)
            if isinstance(self.bridge.job, TrainJob):
                self.settings.show_config(self.bridge.config, len(self.bridge.job.file_paths))
        self._plots.show_history(self.bridge.history, self.bridge.config)

    def _on_data(self) -> None:
        self._plots.mark_changed()
        step = self.bridge.last_step
        if step is not None:
            self._show_position(step)

    def _show_position(self, step: StepMetrics | VQStepMetrics) -> None:
        """Show where the training is; with how long an epoch takes, once the steps have become steady."""
        now = time.monotonic()
        self._first_step_at = self._first_step_at or now
        steps, seconds = max(step.total_steps, 1), 0.0
        if now - self._first_step_at >= GUESS_SECONDS:
            seconds = steps * median(self.bridge.history.step_column("step_time_s")[-GUESS_STEPS:])
        self._controls.show_position(step.epoch, self.bridge.total_epochs, (step.step + 1) / steps, seconds)

    def _on_told(self, topic: str, message: str, level: Level) -> None:
        if topic == "speed":  # for who asks how it is computed: no news for a musician
            self._controls.show_computing(message)
        else:
            self._notices.notify(topic, message, level)

    def _on_epoch(self, epoch: EpochMetrics | VQEpochMetrics) -> None:
        self._controls.show_epoch(epoch)

    def _on_preview(self, preview: PreviewEvent) -> None:
        self._previews.add(Path(preview.audio_path))

    def _on_run_ended(self, ending: TrainingCompleteEvent) -> None:
        texts = {
            "finished": self.tr("Finished. The model is in your library."),
            "stopped": self.tr("Paused. Resume goes on from here."),
            "failed": self.tr("The training ended with an error: see the notice above."),
        }
        self._controls.show_message(texts[ending.outcome])
        if ending.outcome == "finished":
            self._controls.show_progress(1.0)
        if self.bridge.config is not None:
            self._report_codes(family_info(self.bridge.config.family))

    def _on_marked_finished(self) -> None:
        self._controls.show_message(self.tr("Finished. The model is in your library."))
        self._controls.show_progress(1.0)

    def _report_codes(self, info: FamilyInfo) -> None:
        self.codes_changed.emit(self.runs.folder if info.monitor == "codebook" else None)

    def _update_resume(self) -> None:
        can_resume = self.runs.can_resume(self._wanted_epochs())
        self._controls.show_can_resume(can_resume, self.runs.can_finish())

    def _wanted_epochs(self) -> int:
        """Return how many epochs the shown run is to have by the user's word, 0 where nothing was said of it."""
        return self._controls.epochs.value() if self._has_set_epochs else self.runs.planned_epochs

    def _on_epochs_changed(self) -> None:
        self._has_set_epochs = True
        self._update_resume()
