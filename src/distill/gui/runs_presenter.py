"""Between the runs and the panels that show them: controls, curves, previews, notices."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from distill import paths
from distill.gui.controls import TrainingControls
from distill.gui.jobs import EngineSource
from distill.gui.notices import NoticeBar
from distill.gui.plots import PlotsPanel
from distill.gui.previews import PreviewPanel
from distill.gui.run_control import RunControl
from distill.gui.shown_run import ShownRun
from distill.gui.sounds_presenter import SoundsPresenter
from distill.gui.training_thread import RunState
from distill.models.catalog import FamilyInfo, family_info
from distill.training.metrics import EpochMetrics, PreviewEvent, TrainingCompleteEvent, VQEpochMetrics


class RunsPresenter(QObject):
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
        plots: PlotsPanel,
        previews: PreviewPanel,
        notices: NoticeBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._sounds, self._controls, self._plots = sounds, controls, plots
        self._previews, self._notices = previews, notices
        self.runs = RunControl(engine, self)
        self.bridge = self.runs.bridge
        controls.start_asked.connect(self.start)
        controls.stop_asked.connect(self.bridge.stop)
        controls.resume_asked.connect(self.resume)
        controls.family_chosen.connect(self._on_family_chosen)
        controls.epochs.valueChanged.connect(self._update_resume)
        sounds.sounds_changed.connect(self._on_sounds_changed)
        self.runs.run_opened.connect(self._on_run_opened)
        self.runs.told.connect(notices.tell)
        self.runs.can_resume_changed.connect(self._update_resume)
        self.bridge.state_changed.connect(self._on_state_changed)
        self.bridge.history_replaced.connect(self._on_history_replaced)
        self.bridge.data_arrived.connect(self._on_data)
        self.bridge.preparation_progressed.connect(controls.show_preparation)
        self.bridge.epoch_finished.connect(self._on_epoch)
        self.bridge.preview_made.connect(self._on_preview)
        self.bridge.run_ended.connect(self._on_run_ended)
        self._on_family_chosen(controls.family_key)

    def start(self) -> None:
        """Start a new run on the sounds that are listed."""
        self._notices.forget_all()
        self._previews.show_previews([])
        self._previews.show_family(family_info(self._controls.family_key))
        self._controls.show_progress(0.0)
        self.runs.start_new(
            self._controls.family_key, self._controls.preset_key, self._controls.epochs.value(),
            self._sounds.usable(), self._sounds.name,
        )  # fmt: skip
        self.run_changed.emit()

    def resume(self) -> None:
        """Continue the run that is shown."""
        self._notices.forget_all()
        self.runs.resume(self._controls.epochs.value())

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
        if not self._previews.tree.sound_count:  # what is listed is of the run that is shown
            self._previews.show_family(info)

    def _on_sounds_changed(self) -> None:
        self._controls.show_has_sounds(bool(self._sounds.usable()))

    def _on_run_opened(self, run: ShownRun) -> None:
        config = run.record.config
        self._controls.choose(config.family, "", config.max_epochs)
        self._controls.show_progress(run.share_done)
        info = family_info(config.family)
        self._plots.show_monitor(info.monitor)
        self._plots.show_history(run.history, config)
        self._previews.show_previews(run.previews)
        self._previews.show_family(info)
        name = run.record.model_name or run.folder.name
        done = self.tr("{0} of {1} epochs").format(len(run.history.epochs), config.max_epochs)
        self._controls.show_message(self.tr("Shown: {0} · {1}").format(name, done))
        self.run_changed.emit()
        self._tell_codes(info)

    def _on_state_changed(self, state: RunState) -> None:
        self._controls.show_state(state)
        self._update_resume()
        if state is RunState.PREPARING:
            self._sounds.loader.pause()  # the engine decodes the same files
            self.codes_changed.emit(None)
        elif state is RunState.IDLE:
            self._sounds.loader.resume()

    def _on_history_replaced(self) -> None:
        if self.bridge.config is not None:
            self._plots.show_monitor(family_info(self.bridge.config.family).monitor)
        self._plots.show_history(self.bridge.history, self.bridge.config)

    def _on_data(self) -> None:
        self._plots.mark_changed()
        step = self.bridge.last_step
        if step is not None:
            steps = max(step.total_steps, 1)
            recent = self.bridge.history.step_column("step_time_s")[-20:]
            seconds = steps * sum(recent) / len(recent)
            self._controls.show_place(step.epoch, self.bridge.total_epochs, (step.step + 1) / steps, seconds)

    def _on_epoch(self, epoch: EpochMetrics | VQEpochMetrics) -> None:
        self._controls.show_epoch(epoch)

    def _on_preview(self, preview: PreviewEvent) -> None:
        self._previews.add(Path(preview.audio_path))

    def _on_run_ended(self, ending: TrainingCompleteEvent) -> None:
        texts = {
            "finished": self.tr("Finished. The model is in your library."),
            "stopped": self.tr("Stopped. Resume goes on from here."),
            "failed": self.tr("The training ended with an error: see the notice above."),
        }
        self._controls.show_message(texts[ending.outcome])
        if ending.outcome == "finished":
            self._controls.show_progress(1.0)
        if self.bridge.config is not None:
            self._tell_codes(family_info(self.bridge.config.family))

    def _tell_codes(self, info: FamilyInfo) -> None:
        self.codes_changed.emit(self.runs.folder if info.monitor == "codebook" else None)

    def _update_resume(self) -> None:
        self._controls.show_can_resume(self.runs.can_resume(self._controls.epochs.value()))
