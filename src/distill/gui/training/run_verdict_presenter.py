"""Judges the shown run after each epoch, and does what the verdict proposes when the user wants it."""

import math
from typing import Any

from PySide6.QtCore import QObject

from distill.config.setting_fields import setting_fields, setting_value
from distill.config.training import AnyConfig
from distill.gui.engine.run_state import RunState
from distill.gui.engine.training_jobs import TrainJob
from distill.gui.plots.run_verdict_line import VerdictLine
from distill.gui.training.presenter import TrainingPresenter
from distill.gui.widgets.notices import NoticeBar
from distill.metrics_history import AnyHistory, MetricsHistory
from distill.runs.loaded_run import LoadedRun
from distill.runs.verdict import ADVISED_CHANGES, LONGER, Advice, judge, warm_up_epochs


class VerdictPresenter(QObject):
    """Keeps the verdict over the curves at the run that is shown."""

    def __init__(self, line: VerdictLine, runs: TrainingPresenter, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._line, self._runs, self._notices = line, runs, notices
        self._history: AnyHistory = MetricsHistory()
        self._config: AnyConfig | None = None
        self._total_epochs = 0
        self._kl_epochs: int | None = None  # that the KL warm-up goes by; None for the epochs of the run
        line.advice_taken.connect(self._on_advice_taken)
        session, bridge = runs.runs, runs.bridge
        session.run_opened.connect(self._on_run_opened)
        session.can_resume_changed.connect(self._update)
        session.follower.grown.connect(self._update)
        runs.run_changed.connect(self._on_run_changed)
        bridge.history_replaced.connect(self._on_history_replaced)
        bridge.epoch_finished.connect(self._update)
        bridge.state_changed.connect(self._update)

    def _on_run_opened(self, run: LoadedRun) -> None:
        self._kl_epochs = run.record.kl_epochs
        self._take(run.history, run.record.config, run.record.epochs_asked)

    def _on_run_changed(self) -> None:
        if self._runs.runs.folder is None:
            self._take(MetricsHistory(), None, 0)

    def _on_history_replaced(self) -> None:
        bridge = self._runs.bridge
        if isinstance(bridge.job, TrainJob):  # a run that is resumed keeps its warm-up
            self._kl_epochs = bridge.total_epochs
        self._take(bridge.history, bridge.config, bridge.total_epochs)

    def _take(self, history: AnyHistory, config: AnyConfig | None, total_epochs: int) -> None:
        self._history, self._config, self._total_epochs = history, config, total_epochs
        self._line.setVisible(config is not None)
        self._update()

    def _update(self, _event: object = None) -> None:
        session, bridge = self._runs.runs, self._runs.bridge
        if self._config is None:
            self._line.show_verdict("", Advice.NONE)
            return
        verdict = judge(self._history.epochs, warm_up_epochs(self._config, self._kl_epochs or self._total_epochs))
        is_over = not bridge.is_running and not session.can_finish() and not session.is_elsewhere
        can_act = bridge.state in (RunState.TRAINING, RunState.IDLE) and not session.is_elsewhere
        self._line.show_verdict(verdict.sentence(is_over, self._total_epochs), verdict.advice(is_over), can_act)

    def _on_advice_taken(self, advice: Advice) -> None:
        if advice is Advice.FINISH:
            self._runs.finish()
        elif advice is Advice.TRAIN_ON:
            self._runs.extend(math.ceil(LONGER * self._total_epochs))
        elif advice in ADVISED_CHANGES and self._config is not None:
            self._change(self._config, *ADVISED_CHANGES[advice])

    def _change(self, config: AnyConfig, name: str, factor: float) -> None:
        """Pause the run, and set for the next one what should help."""
        field = next(item for item in setting_fields(config) if item.name == name)
        advised = factor * float(setting_value(config, name))
        value: Any = min(max(float(f"{advised:.3g}"), field.low or 0.0), field.high or advised)
        if self._runs.bridge.is_running:
            self._runs.pause()
        self._runs.settings.change(config.family, name, value)
        text = self.tr("The next new run has {0} {1} instead of {2}. Start it when you like; Advanced shows it.")
        before = field.text(setting_value(config, name))
        self._notices.notify("verdict", text.format(field.label, field.text(value), before), "info")
