"""Keeps the line under the Start button: what the next run will take, and whether there are enough sounds."""

import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

from distill.config.training import AnyConfig
from distill.gui.background_tasks import BackgroundTask
from distill.gui.engine.bridge import TrainingBridge
from distill.gui.engine.run_state import RunState
from distill.gui.sounds.presenter import SoundsPresenter
from distill.gui.training.advanced_settings_presenter import SettingsPresenter
from distill.gui.training.controls import TrainingControls
from distill.gui.widgets.formatting import format_bytes, format_time_left
from distill.runs.estimates.estimate import Estimate, Material, estimate
from distill.runs.estimates.measured_costs import Figures, RunFigures, figures_key, remember
from distill.training.estimate_inputs import material_of

#: From the last change of a setting until the line follows.
SETTLE_MILLISECONDS = 400

#: Measures how long a step takes, until the event is set; None where it cannot be measured.
Measure = Callable[[AnyConfig, threading.Event], RunFigures | None]


class EstimatePresenter(QObject):
    """Computes the estimate in the background whenever sounds or settings change, while no run trains.

    Parameters
    ----------
    controls, settings, sounds, bridge
        What the next run is, and whether one trains.
    measure
        Measures the speed where no earlier run has shown it; None to leave that out.
    parent
        Owns the presenter.
    """

    def __init__(
        self,
        controls: TrainingControls,
        settings: SettingsPresenter,
        sounds: SoundsPresenter,
        bridge: TrainingBridge,
        measure: Measure | None,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._controls, self._settings, self._sounds, self._bridge = controls, settings, sounds, bridge
        self._measure = measure
        self._material: tuple[object, Material | None] | None = None  # of which sounds, and what they give
        self._estimating: BackgroundTask | None = None
        self._measuring: BackgroundTask | None = None
        self._measured: set[str] = set()  # keys of what was measured, also without success
        self._timer = QTimer(self, interval=SETTLE_MILLISECONDS, singleShot=True)
        self._timer.timeout.connect(self._estimate)
        sounds.sounds_changed.connect(self._on_changed)
        sounds.splitting.found.connect(self._on_changed)
        settings.changed.connect(self._on_changed)
        controls.family_chosen.connect(self._on_changed)
        controls.preset.currentIndexChanged.connect(self._on_changed)
        controls.epochs.valueChanged.connect(self._on_changed)
        bridge.state_changed.connect(self._on_state_changed)

    def _on_changed(self, _value: object = None) -> None:
        if self._bridge.state is RunState.IDLE:
            self._timer.start()

    def _on_state_changed(self, state: RunState) -> None:
        if state is RunState.IDLE:
            self._timer.start()  # the run has left figures
            return
        self._timer.stop()
        for task in (self._estimating, self._measuring):
            if task is not None:
                task.cancel()
        self._estimating = self._measuring = None
        self._controls.show_estimate()

    def _estimate(self) -> None:
        if self._estimating is not None:
            self._estimating.cancel()  # it is of other sounds or settings
            self._estimating = None
        files = self._sounds.usable()
        if not files or not self._sounds.is_checked:
            self._controls.show_estimate()
            return
        config = self._settings.next_config(len(files))
        key = (files, config.val_fraction, config.chunk_duration_s)
        known_material = self._material if self._material is not None and self._material[0] == key else None

        def work(_progress: object, cancel: threading.Event) -> tuple[Material | None, Estimate | None, bool]:
            material = known_material[1] if known_material is not None else material_of(files, config, cancel)
            figures = Figures.load()
            run_estimate = None if material is None else estimate(config, material, figures)
            return material, run_estimate, bool(figures.of(config))

        def show(result: tuple[Material | None, Estimate | None, bool]) -> None:
            self._material = (key, result[0])
            self._show(config, result[1], is_known=result[2])

        self._estimating = BackgroundTask(work, self)
        self._estimating.succeeded.connect(show)
        self._estimating.start()

    def _show(self, config: AnyConfig, run_estimate: Estimate | None, is_known: bool) -> None:
        if run_estimate is None or self._bridge.state is not RunState.IDLE:
            self._controls.show_estimate()
            return
        will_measure = not is_known and self._measure is not None and figures_key(config) not in self._measured
        if will_measure and self._measuring is None:
            self._start_measuring(config)
        costs = self._costs(run_estimate, self._measuring is not None)
        self._controls.show_estimate(costs, run_estimate.enough, _source_tip(self, run_estimate))

    def _costs(self, run_estimate: Estimate, is_measuring: bool) -> list[str]:
        """Return what the run takes, in wordings from the longest to the shortest."""
        if run_estimate.seconds is None or run_estimate.good_seconds is None:
            if is_measuring:
                return [self.tr("Measuring how fast this computer is…")]
            return [self.tr("How long it takes is known after the first run."), self.tr("Its length is not known yet.")]
        good_time, whole_time = format_time_left(run_estimate.good_seconds), format_time_left(run_estimate.seconds)
        is_whole = run_estimate.epochs == run_estimate.max_epochs
        text = self.tr("About {0} for {1} epochs") if is_whole else self.tr("About {0} for {1} of {2} epochs")
        whole = text.format(whole_time, run_estimate.epochs, run_estimate.max_epochs)
        short = self.tr("About {0}").format(whole_time)
        texts, shorter = [whole], [short]
        # Of this run: more epochs in the field move both.
        if run_estimate.good_epochs < run_estimate.epochs and good_time != whole_time:
            nearly = self.tr("{0}, nearly as good in {1}")
            texts, shorter = [nearly.format(whole, good_time)], [nearly.format(short, good_time), short]
        if run_estimate.memory_bytes is not None:
            memory = format_bytes(round(int(run_estimate.memory_bytes), -8))
            texts.insert(0, self.tr("{0} · {1} memory").format(texts[0], memory))
        if run_estimate.disk_bytes is not None:
            disk = format_bytes(round(int(run_estimate.disk_bytes), -7))
            texts.insert(0, self.tr("{0} · {1} disk").format(texts[0], disk))
        return [*texts, *shorter]

    def _start_measuring(self, config: AnyConfig) -> None:
        measure = self._measure
        assert measure is not None
        self._measured.add(figures_key(config))

        def work(_progress: object, cancel: threading.Event) -> None:
            run_figures = measure(config, cancel)
            if run_figures is not None:
                remember(config, run_figures)

        self._measuring = BackgroundTask(work, self)
        self._measuring.ended.connect(self._on_measured)
        self._measuring.start()

    def _on_measured(self) -> None:
        self._measuring = None
        self._on_changed()


def _source_tip(presenter: EstimatePresenter, run_estimate: Estimate) -> str:
    """Return where the figures come from."""
    epochs, good_epochs = run_estimate.epochs, run_estimate.good_epochs
    end = presenter.tr("The end is expected at epoch {0} of at most {1}.").format(epochs, run_estimate.max_epochs)
    nearly = presenter.tr("Finished at epoch {0}, the model would be nearly as good.").format(good_epochs)
    epochs_text = f"{end} {nearly}" if good_epochs < epochs else end
    source = (
        presenter.tr("From {0} earlier runs on this computer.").format(run_estimate.basis)
        if run_estimate.basis > 1
        else presenter.tr("From an earlier run on this computer.")
        if run_estimate.basis
        else presenter.tr("From a short trial on this computer.")
    )
    return f"{epochs_text} {source}"
