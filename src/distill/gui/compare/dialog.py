"""The window in which runs are compared: curves, settings, and the same sounds of each, heard by a key."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QComboBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSpinBox,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from distill.gui.compare.compared_sounds import LETTERS, ORIGINAL, SoundsModel, SoundsView
from distill.gui.player.window_wide_keys import PlayerKeys
from distill.gui.plots.curve_drawing import CurveStyle
from distill.gui.plots.plot import Plot
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.formatting import format_time_left
from distill.gui.widgets.panel import Panel
from distill.gui.widgets.plain_text import make_plain, plain_tip, readable
from distill.runs.comparison import NO_VALUE, Comparison, SameSound

#: Size of the window, and of its parts, in device-independent pixels.
_SIZE, _WIDTHS, _HEIGHTS = (1060, 720), (600, 440), (330, 370)
#: New sounds of a seed, and the highest seed of the field.
SEEDED, _MOST_SEED = 3, 2**31 - 1
#: Colours and symbols of the curves: they differ by more than colour.
_CURVES = (("accent", "o"), ("second", "s"), ("third", "t"), ("good", "d"))
_LAST, _BEST = -1, -2


class CompareDialog(QDialog):
    """Shows a comparison and emits what is to be heard; it plays and generates nothing."""

    #: These files are compared; the one with this number is to be heard.
    hear_requested = Signal(object, int)  # tuple of Path, number
    stop_requested = Signal()
    #: Generate sounds with this seed.
    seed_requested = Signal(int)
    closed = Signal()

    def __init__(self, comparison: Comparison, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("compareDialog")
        self.setWindowTitle(self.tr("Compare runs"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.comparison = comparison
        self.table = SoundsModel(comparison, self)
        self.sounds = SoundsView(self.table, thumbnails)
        self.sounds.hear_requested.connect(self.hear_requested)
        self.sounds.stop_requested.connect(self.stop_requested)
        thumbnails.ready.connect(self.table.repaint_file)
        self.plot = self._make_plot()
        self.axis = self._make_axis()
        self.settings = self._make_settings()
        self.epoch, self.seed, self.generate = QComboBox(), QSpinBox(), QPushButton()
        self.problem = self._make_problem()
        self._set_up_tools()
        self._lay_out()
        self._keys = PlayerKeys(self, {
            Qt.Key.Key_Space: self.sounds.play_or_stop,
            **{getattr(Qt.Key, f"Key_{letter}"): partial(self.sounds.hear, letter) for letter in (*LETTERS, ORIGINAL)},
        })  # fmt: skip
        self._show_epoch()
        self._draw_curves()
        self.sounds.setFocus()
        make_plain(self)
        self.resize(*_SIZE)

    def show_heard(self, file: Path | None) -> None:
        """Mark the sound that is heard; None for none."""
        self.table.show_heard(file)

    def show_problem(self, text: str) -> None:
        """Say why there is nothing to hear; nothing if empty.  The notices of the main window lie behind this one."""
        self.problem.setText(readable(text))
        self.problem.setVisible(bool(text))

    def show_generating(self, is_generating: bool) -> None:
        """Show whether the models are generating."""
        self.generate.setEnabled(not is_generating)
        self.generate.setText(self.tr("Generating…") if is_generating else self.tr("Generate"))

    def show_seeded(self, seed: int, sounds: Sequence[SameSound]) -> None:
        """Show what the models have made of a seed; the first of them is heard next."""
        before = self.table.rowCount() - len(self.table.seeded)
        self.table.show_seeded(seed, sounds)
        self.sounds.setCurrentIndex(self.table.index(before, 1))
        self.sounds.scrollToBottom()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Emit `closed`."""
        self.closed.emit()
        super().closeEvent(event)

    def done(self, result: int) -> None:
        """Emit `closed`; Escape ends here."""
        self.closed.emit()
        super().done(result)

    def _show_epoch(self) -> None:
        chosen = self.epoch.currentData()
        self.sounds.show_sounds(
            self.comparison.same_sounds(None if chosen in (_LAST, _BEST) else chosen, at_best=chosen == _BEST)
        )
        self.sounds.setFocus()

    # Curves.

    def _draw_curves(self) -> None:
        is_time = self.axis.checkedId() == 1
        self.plot.clear()
        self.plot.position_text = self.tr("{0} min") if is_time else self.tr("epoch {0}")
        self.plot.widget.getPlotItem().setLabel("bottom", self.tr("minutes") if is_time else self.tr("epoch"))
        for letter, compared in zip(LETTERS, self.comparison.runs, strict=False):
            x = [point.seconds / 60 if is_time else point.epoch for point in compared.curve]
            self.plot.set_curve(letter, np.array(x, dtype=np.float64), np.array([p.loss for p in compared.curve]))
        if not self.comparison.has_same_loss:
            compared_by_ear = self.tr("Other families, other losses: compare by ear")
            self.plot.set_note(compared_by_ear, self.tr("Losses of different families measure different things."))
        self.plot.show_all()

    def _make_plot(self) -> Plot:
        styles = tuple(
            CurveStyle(letter, f"{letter}  {readable(run.name)}", color, dot=dot)
            for letter, run, (color, dot) in zip(LETTERS, self.comparison.runs, _CURVES, strict=False)
        )
        plot = Plot(
            "comparePlot", self.tr("Held-out loss"), styles,
            help=self.tr("Loss on sounds that the model does not learn from: lower is better."),
        )  # fmt: skip
        plot.header.menu_button.hide()
        plot.widget.align_right(False)
        return plot

    def _make_axis(self) -> QButtonGroup:
        group = QButtonGroup(self)
        for number, (name, text) in enumerate((("Epochs", self.tr("By epochs")), ("Time", self.tr("By time")))):
            button = QToolButton()
            button.setObjectName(f"compareBy{name}")
            button.setText(text)
            button.setCheckable(True)
            button.setChecked(number == 0)
            button.setProperty("chip", True)
            group.addButton(button, number)
        group.idToggled.connect(lambda _number, is_on: self._draw_curves() if is_on else None)
        return group

    # Settings.

    def _make_settings(self) -> QTableWidget:
        runs = self.comparison.runs
        rows = [
            (self.tr("Best loss"), [f"{run.best.loss:.4g}" if run.best else NO_VALUE for run in runs]),
            (self.tr("In epoch"), [str(run.best.epoch) if run.best else NO_VALUE for run in runs]),
            (self.tr("Trained for"), [format_time_left(run.seconds) for run in runs]),
            *((row.label, list(row.values)) for row in self.comparison.differences()),
        ]
        table = QTableWidget(len(rows), len(runs))
        table.setObjectName("comparedSettings")
        table.setAccessibleName(self.tr("Results, and settings that differ"))
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        table.setShowGrid(False)
        table.setCornerButtonEnabled(False)
        table.setHorizontalHeaderLabels([f"{a}  {readable(run.name)}" for a, run in zip(LETTERS, runs, strict=False)])
        table.setVerticalHeaderLabels([label for label, _ in rows])
        for number, (_, values) in enumerate(rows):
            for column, value in enumerate(values):
                item = QTableWidgetItem(readable(value))
                item.setToolTip(plain_tip(value))
                table.setItem(number, column, item)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        table.verticalHeader().setDefaultSectionSize(24)
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        for header in (table.horizontalHeader(), table.verticalHeader()):
            header.setSectionsClickable(False)
        return table

    # How it is built.

    @staticmethod
    def _make_problem() -> QLabel:
        label = QLabel()
        label.setObjectName("modelProblem")
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        label.setMinimumWidth(1)
        label.hide()
        return label

    def _set_up_tools(self) -> None:
        self.epoch.setObjectName("compareEpoch")
        self.epoch.setAccessibleName(self.tr("Epoch of the sounds"))
        self.epoch.setToolTip(
            self.tr("Which previews are compared; a run without previews then has its newest before.")
        )
        self.epoch.addItem(self.tr("Last epoch"), _LAST)
        self.epoch.addItem(self.tr("Best epoch of each"), _BEST)
        for number in self.comparison.epochs_with_sounds():
            self.epoch.addItem(self.tr("Epoch {0}").format(number), number)
        self.epoch.activated.connect(self._show_epoch)
        self.seed.setObjectName("compareSeed")
        self.seed.setAccessibleName(self.tr("Seed"))
        self.seed.setRange(0, _MOST_SEED)
        self.seed.setValue(1)
        self.seed.setMinimumWidth(76)
        self.seed.lineEdit().setTextMargins(theme.HALF, 0, 0, 0)  # the style sheet's padding does not reach it
        self.generate.setObjectName("compareGenerateButton")
        self.generate.setToolTip(self.tr("Let the model of each run make {0} new sounds of this seed.").format(SEEDED))
        self.generate.clicked.connect(self._on_generate)
        self.show_generating(False)

    def _on_generate(self) -> None:
        self.sounds.setFocus()
        self.seed_requested.emit(self.seed.value())

    def _lay_out(self) -> None:
        curves, settings, sounds = Panel(""), Panel(self.tr("Results, and settings that differ")), Panel("")
        for panel in (curves, sounds):
            panel.title.hide()
        curves.setAccessibleName(self.tr("Curves"))
        for button in self.axis.buttons():
            curves.header.addWidget(button)
        curves.body.addWidget(self.plot, 1)
        settings.body.addWidget(self.settings, 1)
        sounds.setAccessibleName(self.tr("Sounds"))
        last = LETTERS[len(self.comparison.runs) - 1]
        text = self.tr("A to {0} and O switch at the same position and loudness, Space stops")
        sounds.detail.setText(text.format(last))
        tools = QHBoxLayout()
        tools.setSpacing(theme.GAP)
        tools.addWidget(self.epoch)
        for widget in (QLabel(self.tr("New sounds of seed")), self.seed, self.generate):
            tools.addWidget(widget)
        sounds.header.insertLayout(0, tools)
        sounds.body.addWidget(self.sounds, 1)
        sounds.body.addWidget(self.problem)
        upper, whole = QSplitter(Qt.Orientation.Horizontal), QSplitter(Qt.Orientation.Vertical)
        for splitter, panels, sizes in ((upper, (curves, settings), _WIDTHS), (whole, (upper, sounds), _HEIGHTS)):
            splitter.setHandleWidth(theme.GAP)
            splitter.setChildrenCollapsible(False)
            for number, part in enumerate(panels):
                splitter.addWidget(part)
                splitter.setStretchFactor(number, sizes[number])
            splitter.setSizes(list(sizes))
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.GAP, theme.GAP, theme.GAP, theme.GAP)
        column.addWidget(whole)
