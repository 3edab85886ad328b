"""The curves of the run that is shown: loss, and what its family watches beside it.

`show_history` and `mark_changed` say only that there is something new.  The plots pull from the history at most 30
times a second, and only while they can be seen.
"""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSplitter, QWidget

from distill.gui.codebook import CodebookView
from distill.gui.panel import Panel
from distill.gui.plot import CurveStyle, Plot
from distill.training.config import AnyConfig, VQVAEConfig
from distill.training.metrics import COLLAPSE_KL, AnyHistory, MetricsHistory, VQMetricsHistory

#: Shortest time between two redraws.
REDRAW_MILLISECONDS = 34

Floats = NDArray[np.float64]


class PlotsPanel(Panel):
    """Draws a history."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.title.hide()
        self.detail.hide()
        self.setAccessibleName(self.tr("Curves"))
        self.loss, self.kl, self.codebook = self._make_loss(), self._make_kl(), CodebookView()
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.setChildrenCollapsible(False)
        for plot in (self.loss, self.kl, self.codebook):
            self.splitter.addWidget(plot)
        self.splitter.setSizes([300, 200, 260])
        self.splitter.setMinimumWidth(1)  # in a narrow window legends are cut, not the curves
        area = QScrollArea(widgetResizable=True)  # for low windows
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(self.splitter)
        for widget in (area.viewport(), self.splitter):
            widget.setAutoFillBackground(False)
        self.body.addWidget(area, 1)
        self._history: AnyHistory = MetricsHistory()
        self._is_stale = False
        self._timer = QTimer(self, interval=REDRAW_MILLISECONDS, singleShot=True)
        self._timer.timeout.connect(self._redraw)
        self.show_monitor("kl")

    def show_monitor(self, monitor: str) -> None:
        """Show the plot of what a family watches: ``"kl"`` or ``"codebook"``."""
        self.kl.setVisible(monitor == "kl")
        self.codebook.setVisible(monitor == "codebook")

    def show_history(self, history: AnyHistory, config: AnyConfig | None) -> None:
        """Draw this history from now on, which is that of a run with these settings."""
        self._history = history
        for plot in (self.loss, self.kl):
            plot.clear()
        self.codebook.show_history(config.codebook_size if isinstance(config, VQVAEConfig) else 0)
        self.mark_changed()

    def mark_changed(self) -> None:
        """Note that the history has grown."""
        self._is_stale = True
        if self._can_be_seen() and not self._timer.isActive():
            self._timer.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what came while nobody could see it."""
        super().showEvent(event)
        if self._is_stale:
            self._timer.start()

    def _can_be_seen(self) -> bool:
        return self.isVisible() and not self.window().isMinimized()

    def _redraw(self) -> None:
        if not self._is_stale or not self._can_be_seen():
            return
        self._is_stale = False
        history = self._history
        epochs = np.array([e.epoch + 1 for e in history.epochs], dtype=np.float64)
        self.loss.set_curve("steps", _step_positions(history), np.array(history.step_column("train_loss"), np.float64))
        self.loss.set_curve("train", epochs, _column(history, "train_loss"))
        self.loss.set_curve("validation", epochs, _column(history, "val_loss"))
        if isinstance(history, VQMetricsHistory):
            self.codebook.redraw(history)
        else:
            self.kl.set_curve("kl", epochs, _column(history, "kl_divergence"))
            active = history.epochs[-1].active_latents if history.epochs else None
            self.kl.set_note("" if active is None else self.tr("{0} active latents").format(active))

    def _make_loss(self) -> Plot:
        return Plot(
            "lossPlot",
            self.tr("Loss"),
            (
                CurveStyle("steps", self.tr("steps"), "faint", 1.0, self.tr("What each step measured.")),
                CurveStyle(
                    "train", self.tr("training"), "accent", 2.0,
                    self.tr("Loss on sounds that are trained on, measured after each epoch."),
                ),
                CurveStyle(
                    "validation", self.tr("held out"), "second", 2.0,
                    self.tr("Loss on sounds that are never trained on: what the model has really learned."),
                ),
            ),
        )  # fmt: skip

    def _make_kl(self) -> Plot:
        explanation = self.tr(
            "How much the latents say about a sound, on sounds that are never trained on (nat). "
            "Under 0.5 they say nothing any more: the posterior has collapsed."
        )
        plot = Plot("klPlot", self.tr("KL"), (CurveStyle("kl", self.tr("held out"), "second", 2.0, explanation),))
        plot.widget.setLimits(yMin=0)
        plot.add_reference(COLLAPSE_KL, self.tr("collapse under {0:g}").format(COLLAPSE_KL))
        return plot


def _step_positions(history: AnyHistory) -> Floats:
    """Return where on the axis of epochs each step is: epoch 1 ends at 1."""
    epoch = np.array(history.step_column("epoch"), dtype=np.float64)
    step = np.array(history.step_column("step"), dtype=np.float64)
    total = np.array(history.step_column("total_steps"), dtype=np.float64)
    return np.asarray(epoch + (step + 1) / np.maximum(total, 1))


def _column(history: AnyHistory, name: str) -> Floats:
    return np.array([getattr(e, name) for e in history.epochs], dtype=np.float64)
