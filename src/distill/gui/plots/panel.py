"""The curves of the shown run: one curve of the loss, and all others under *Details*.

Those are built when they are shown for the first time: seven plots take longer to build than the window's frame.
`show_history` and `mark_changed` only note that there is something new.  The plots read the history at most 30 times a
second, and only while they are visible.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QByteArray, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSplitter, QVBoxLayout, QWidget

from distill.config.training import AnyConfig, TrainingConfig, VQVAEConfig
from distill.gui.plots.codebook.panel import CodebookView, make_codebook_plot
from distill.gui.plots.curve_data import HistoryTables
from distill.gui.plots.definitions import (
    MAIN_LOSS_CURVES,
    make_active_plot,
    make_gap_plot,
    make_kl_plot,
    make_loss_plot,
    make_new_sounds_plot,
    make_rate_plot,
)
from distill.gui.plots.marks import checkpoint_text
from distill.gui.plots.plot import Plot
from distill.gui.plots.run_verdict_line import VerdictLine, best_loss_lines
from distill.gui.plots.toolbar import PlotToolbar
from distill.gui.widgets.panel import Panel
from distill.gui.widgets.plain_text import make_plain
from distill.metrics_history import AnyHistory, MetricsHistory, VQMetricsHistory
from distill.runs.run_record import Interruption

#: Shortest time between two redraws.
REDRAW_MILLISECONDS = 34

#: Plots that are built when they are shown for the first time, by name.
LATE_PLOTS: dict[str, Callable[[], Plot]] = {
    "new_sounds": make_new_sounds_plot, "kl": make_kl_plot, "codebook": make_codebook_plot, "active": make_active_plot,
    "rate": make_rate_plot, "gap": make_gap_plot,
}  # fmt: skip

#: Those that scripts find by their names, whether they are shown or not.
NAMED_PLOTS = ("kl", "codebook")

#: Plots beside the loss that are chosen at first.
FIRST_CHOICE = ["new_sounds", "monitor"]


class _Slot(QWidget):
    """Where a plot is put when it is built."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)

    def put_plot(self, plot: Plot) -> None:
        self._layout.addWidget(plot)


class PlotsPanel(Panel):
    """Draws a history."""

    #: Play the first preview of this epoch, which counts from 0.
    preview_requested = Signal(int)
    #: Export a picture of plots, or a table of all steps or epochs.
    export_requested = Signal(str, object)  # "picture", "steps" or "epochs", and a list of Plot
    #: `exportable` is different.
    exportable_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.title.hide()
        self.detail.hide()
        self.setAccessibleName(self.tr("Curves"))
        self.loss = make_loss_plot()
        self.codebook = CodebookView(lambda: self._built("codebook"))
        self._late: dict[str, Plot] = {}
        self._slots: dict[str, _Slot | CodebookView] = {name: _Slot() for name in LATE_PLOTS}
        self._slots["codebook"] = self.codebook
        self.toolbar = PlotToolbar()
        self.verdict = VerdictLine()
        self.summary = self.verdict.summary
        self.summary.show_note(self.tr("The loss is how wrong the model is on held-out sounds; lower is better."))
        self._chosen: set[str] = set(FIRST_CHOICE)
        self._monitor = "kl"
        self._history: AnyHistory = MetricsHistory()
        self._tables = HistoryTables(self._history)
        self._checkpoints: list[int] = []
        self._interruptions: Sequence[Interruption] = ()
        self._latents = 0
        self._hidden: dict[str, list[str]] = {}
        self._is_stale = False
        #: What there is to export: "picture", "steps", "epochs".
        self.exportable: frozenset[str] = frozenset()
        self._build()
        self._timer = QTimer(self, interval=REDRAW_MILLISECONDS, singleShot=True)
        self._timer.timeout.connect(self._redraw)
        self.show_monitor("kl")
        self._show_hint()
        self._show_exportable()

    @property
    def plots(self) -> dict[str, Plot]:
        """All plots by name, from the top."""
        for name in LATE_PLOTS:
            self._built(name)
        return dict(self._all_built())

    def build_named(self) -> None:
        """Build the plots that scripts find by their names."""
        for name in NAMED_PLOTS:
            self._built(name)

    @property
    def kl(self) -> Plot:
        """The KL divergence, and its weight in the loss."""
        return self._built("kl")

    @property
    def new_sounds(self) -> Plot:
        """How near new sounds are to the user's own."""
        return self._built("new_sounds")

    @property
    def active(self) -> Plot:
        """The number of active latents."""
        return self._built("active")

    @property
    def rate(self) -> Plot:
        """The learning rate."""
        return self._built("rate")

    @property
    def gap(self) -> Plot:
        """The overfitting gap."""
        return self._built("gap")

    @property
    def shown_plots(self) -> list[Plot]:
        """The plots that are shown, from the top."""
        return [plot for _, plot in self._all_built() if plot.isVisibleTo(self)]

    @property
    def history(self) -> AnyHistory:
        """The history that is drawn."""
        return self._history

    def show_monitor(self, monitor: str) -> None:
        """Offer the plots of a kind of family: ``"kl"`` or ``"codebook"``."""
        self._monitor = monitor
        button = self.toolbar.buttons["monitor"]
        button.setText(self.tr("Packing") if monitor == "kl" else self.tr("Building blocks"))
        self._show_chosen()

    def show_history(self, history: AnyHistory, config: AnyConfig | None) -> None:
        """Draw this history, of a run with these settings, from now on."""
        self._history, self._tables = history, HistoryTables(history)
        for _, plot in self._all_built():
            plot.clear()
        self.codebook.show_history(config.codebook_size if isinstance(config, VQVAEConfig) else 0)
        self._latents = config.latent_dim if isinstance(config, TrainingConfig) else 0
        self._show_latents()
        self.mark_changed()

    def mark_changed(self) -> None:
        """Note that the history has grown."""
        self._is_stale = True
        self._update_exportable()
        if self._can_be_seen() and not self._timer.isActive():
            self._timer.start()

    def show_codes(self) -> None:
        """Show the plot with the codes, whatever the user has chosen."""
        self.toolbar.details.setChecked(True)
        self.toolbar.buttons["monitor"].setChecked(True)

    def mark_previews(self, previews: Mapping[int, str]) -> None:
        """Mark epochs that have previews: number, which counts from 0, and name of the file that a click plays."""
        self.loss.mark_previews(dict(previews))

    def mark_checkpoints(self, epochs: Sequence[int]) -> None:
        """Mark the epochs, which count from 0, that checkpoints were written in."""
        self._checkpoints = list(epochs)
        self.mark_changed()

    def mark_interruptions(self, interruptions: Sequence[Interruption]) -> None:
        """Mark in all plots where the run was killed."""
        self._interruptions = interruptions
        for _, plot in self._all_built():
            plot.mark_interruptions(interruptions, has_label=plot is self.loss)

    def clear_marks(self) -> None:
        """Mark nothing: no run is shown, or a new one."""
        self.mark_previews({})
        self.mark_checkpoints([])
        self.mark_interruptions([])

    # The user's choices, restored at the next start.

    def state(self) -> dict[str, Any]:
        """Return the user's choices as JSON values."""
        hidden = {n: [k for k, e in p.header.entries.items() if not e.isChecked()] for n, p in self._all_built()}
        hidden = self._hidden | hidden
        return {
            "details": self.toolbar.details.isChecked(),
            "shown": sorted(self._chosen),
            "log": self.toolbar.log.isChecked(),
            "smoothing": self.toolbar.smoothing.currentIndex(),
            "hidden": {name: keys for name, keys in hidden.items() if keys},
            self._heights_key: bytes(self.splitter.saveState().toBase64().data()).decode(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; missing values and values of a wrong type are ignored."""
        shown, hidden = state.get("shown"), state.get("hidden")
        if isinstance(shown, list):
            for name, button in self.toolbar.buttons.items():
                button.setChecked(name in shown)
        if isinstance(hidden, dict):
            hidden_curves = {name: keys for name, keys in hidden.items() if isinstance(keys, list)}
            self._hidden = {
                name: [key for key in hidden_curves.get(name, ()) if isinstance(key, str)] for name in LATE_PLOTS
            }
            for name, plot in self._all_built():
                _hide_curves(plot, hidden_curves.get(name, ()))
        self.toolbar.details.setChecked(state.get("details") is True)
        self.toolbar.log.setChecked(state.get("log") is True)
        level = state.get("smoothing")
        if isinstance(level, int) and 0 <= level < self.toolbar.smoothing.count():
            self.toolbar.smoothing.setCurrentIndex(level)
        heights = state.get(self._heights_key)
        if isinstance(heights, str):
            self.splitter.restoreState(QByteArray.fromBase64(heights.encode()))

    @property
    def _heights_key(self) -> str:
        """Key of the stored heights: those of another number of plots do not fit."""
        return f"heights of {self.splitter.count()}"

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what arrived while the panel was hidden."""
        super().showEvent(event)
        if self._is_stale:
            self._timer.start()

    # Building.

    def _build(self) -> None:
        self.toolbar.add_plot("new_sounds", self.tr("New sounds"), self.tr("How near new sounds are to your own"))
        self.toolbar.add_plot("monitor", self.tr("Packing"), self.tr("Early warning signs"))
        self.toolbar.add_plot("active", self.tr("Dimensions"), self.tr("Dimensions in use (active latents)"))
        self.toolbar.add_plot("rate", self.tr("Step size"), self.tr("Size of the training steps (learning rate)"))
        self.toolbar.add_plot("gap", self.tr("Memorising"), self.tr("Signs of memorising (overfitting gap)"))
        self.toolbar.finish()
        self.toolbar.details_toggled.connect(self._on_details_toggled)
        self.toolbar.plot_toggled.connect(self._on_plot_toggled)
        self.toolbar.log_toggled.connect(self._on_log_toggled)
        self.toolbar.smoothing_chosen.connect(self._on_smoothing_chosen)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.loss)
        for slot in self._slots.values():
            self.splitter.addWidget(slot)
        self.splitter.setSizes([300, 220, 220, 260, 220, 220, 220])
        self.splitter.setMinimumWidth(1)  # legends wrap instead
        area = QScrollArea(widgetResizable=True)  # for low windows, and for many plots
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(self.splitter)
        for widget in (area.viewport(), self.splitter):
            widget.setAutoFillBackground(False)
        self._area = area
        self.body.addWidget(self.toolbar)
        self.body.addWidget(self.verdict)
        self.body.addWidget(area, 1)
        self._connect(self.loss)

    def _connect(self, plot: Plot) -> None:
        plot.pointed.connect(self._on_pointed)
        plot.preview_requested.connect(self.preview_requested)
        plot.header.export_requested.connect(lambda kind: self.export_requested.emit(kind, [plot]))

    def _all_built(self) -> Iterator[tuple[str, Plot]]:
        """Yield the plots that are built with their names, from the top."""
        yield "loss", self.loss
        for name in LATE_PLOTS:
            if name in self._late:
                yield name, self._late[name]

    def _built(self, name: str) -> Plot:
        """Return a plot; if it is not there yet, build it and let it show what the others show."""
        if name in self._late:
            return self._late[name]
        plot = self._late[name] = LATE_PLOTS[name]()
        self._slots[name].put_plot(plot)
        make_plain(plot)
        self._connect(plot)
        plot.header.show_exportable(self.exportable)
        plot.mark_interruptions(self._interruptions)
        plot.set_log(self.toolbar.log.isChecked())
        plot.set_smoothing(self.toolbar.smoothing.currentIndex())
        _hide_curves(plot, self._hidden.pop(name, ()))
        self._show_latents()
        self._order_focus(name)
        plot.widget.align_right("kl" in self._names_to_show())
        self.mark_changed()
        return plot

    def _order_focus(self, name: str) -> None:
        """Let Tab visit a plot after those above it; Qt's own order is that of building."""
        above = self.loss
        for other, plot in self._all_built():
            if other == name:
                break
            above = plot
        before = _tab_stops(above)[-1]
        for widget in _tab_stops(self._late[name]):
            QWidget.setTabOrder(before, widget)
            before = widget

    def _show_latents(self) -> None:
        """Say beside the active latents how many there are."""
        if "active" in self._late:
            text = self.tr("of {0}").format(self._latents) if self._latents else ""
            self._late["active"].set_note(text, self.tr("All latents of the model."))

    def _names_to_show(self) -> set[str]:
        """Return the names of the late plots that are chosen, and that the shown kind of family has."""
        if not self.toolbar.details.isChecked():
            return set()
        chosen = self._chosen & LATE_PLOTS.keys() | ({self._monitor} if "monitor" in self._chosen else set())
        return chosen if self._monitor == "kl" else chosen - {"active"}

    def _show_chosen(self) -> None:
        for name, button in self.toolbar.buttons.items():
            button.setChecked(name in self._chosen)
        has_details, plot_names = self.toolbar.details.isChecked(), self._names_to_show()
        self.toolbar.show_choices(has_details)
        self.toolbar.buttons["active"].setVisible(self._monitor == "kl")
        self.loss.show_only(None if has_details else MAIN_LOSS_CURVES)
        for name in LATE_PLOTS:
            if name in plot_names:
                self._built(name)
        for _, plot in self._all_built():
            plot.widget.align_right("kl" in plot_names)  # which has an axis on the right
        for name, slot in self._slots.items():
            slot.setVisible(name in plot_names)

    def _update_exportable(self) -> None:
        history = self._history
        kinds = [kind for kind, count in (("steps", history.step_count), ("epochs", len(history.epochs))) if count]
        exportable = frozenset([*kinds, "picture"] if kinds else [])
        if exportable != self.exportable:
            self.exportable = exportable
            self._show_exportable()
            self.exportable_changed.emit()

    def _show_exportable(self) -> None:
        for _, plot in self._all_built():
            plot.header.show_exportable(self.exportable)

    # Drawing.

    def _can_be_seen(self) -> bool:
        return self.isVisible() and not self.window().isMinimized()

    def _redraw(self) -> None:
        if not self._is_stale or not self._can_be_seen():
            return
        self._is_stale = False
        tables = self._tables
        tables.read()
        steps, epochs = tables.steps, tables.epochs
        self.loss.set_curve("steps", steps["x"], steps["train_loss"])
        self.loss.set_curve("train", epochs["x"], epochs["train_loss"])
        self.loss.set_curve("validation", epochs["x"], epochs["val_loss"])
        self.loss.set_curve("reconstruction", epochs["x"], epochs["val_recon_loss"])
        self.loss.mark_best(tables.best())
        self.loss.mark_checkpoints(self._checkpoint_marks())
        if self._is_shown("rate"):
            self.rate.set_curve("rate", steps["x"], steps["learning_rate"])
        if self._is_shown("gap"):
            self.gap.set_curve("gap", epochs["x"], 100 * epochs["overfitting_gap"])
        if self._is_shown("new_sounds"):
            plotted = np.isfinite(epochs["new_sound_distance"])
            self.new_sounds.set_curve("distance", epochs["x"][plotted], epochs["new_sound_distance"][plotted])
        self._redraw_monitor()
        self._show_summary()
        self._show_hint()

    def _redraw_monitor(self) -> None:
        steps, epochs = self._tables.steps, self._tables.epochs
        if isinstance(self._history, VQMetricsHistory):
            if self._is_shown("codebook"):
                self.codebook.redraw(self._history)
            return
        if self._is_shown("kl"):
            self.kl.set_curve("weight", steps["x"], steps["kl_weight"])
            self.kl.set_curve("kl", epochs["x"], epochs["kl_divergence"])
        if self._is_shown("active"):
            self.active.set_curve("active", epochs["x"], epochs["active_latents"])

    def _is_shown(self, name: str) -> bool:
        return not self._slots[name].isHidden()

    def _checkpoint_marks(self) -> dict[float, str]:
        """Return where checkpoints are: at the end of their epoch, or where an unfinished one stood."""
        steps, epochs = self._tables.steps, self._tables.epochs
        finished = epochs["x"][-1] if epochs.count else 0.0
        newest = max(finished, steps["x"][-1] if steps.count else 0.0)
        return {
            float(e + 1 if e + 1 <= finished else min(newest, e + 1)): checkpoint_text(e) for e in self._checkpoints
        }

    def _show_hint(self) -> None:
        hint = self.tr("Curves appear here while a model learns.")
        self.loss.overlay.set_hint(hint if self.loss.is_empty else "")

    def _show_summary(self) -> None:
        """Say in words how good the loss is."""
        self.summary.show_lines(best_loss_lines(self._tables.first(), self._tables.best()))

    # What the user does.

    def _on_details_toggled(self, _is_on: bool) -> None:
        self._show_chosen()
        self.mark_changed()

    def _on_plot_toggled(self, name: str, is_shown: bool) -> None:
        if is_shown == (name in self._chosen):
            return
        self._chosen ^= {name}
        self._show_chosen()
        self.mark_changed()
        if is_shown:
            slot = self._slots[self._monitor if name == "monitor" else name]
            QTimer.singleShot(0, slot, lambda: self._area.ensureWidgetVisible(slot))

    def _on_log_toggled(self, is_log: bool) -> None:
        for _, plot in self._all_built():
            plot.set_log(is_log)

    def _on_smoothing_chosen(self, level: int) -> None:
        for _, plot in self._all_built():
            plot.set_smoothing(level)

    def _on_pointed(self, position: float | None) -> None:
        """Read out the same position in all plots."""
        for plot in self.shown_plots:
            if plot.position != position and (position is None or math.isfinite(position)):
                plot.show_position(position)


def _hide_curves(plot: Plot, keys: Sequence[str]) -> None:
    """Hide the curves and marks of a plot that the user has hidden in the last session."""
    for key in plot.header.entries:
        if key in keys:
            plot.show_curve(key, False)


def _tab_stops(plot: Plot) -> list[QWidget]:
    """Return the widgets of a plot that Tab visits, in their order.

    They are not looked for along the order of Tab: what `QWidget.nextInFocusChain` returns counts for Python as a part
    of the widget before, and as deleted when that one is.
    """
    return [
        w for w in plot.findChildren(QWidget) if w.focusPolicy() & Qt.FocusPolicy.TabFocus and w.focusProxy() is None
    ]
