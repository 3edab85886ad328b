"""The header of a plot: title, legend, note, "Show all", and a menu of exports."""

from collections.abc import Collection
from functools import partial

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QToolButton,
    QWidget,
)

from distill.gui.plots.curve_style import CurveStyle
from distill.gui.plots.legend import LegendEntry
from distill.gui.widgets import theme
from distill.gui.widgets.flow_box import FlowBox
from distill.gui.widgets.icons import icon


class PlotHeader(QWidget):
    """Shows the legend, which wraps in a narrow window, and emits requests about the plot.

    Every entry is shown from the beginning, so that nothing moves when its data arrive.
    """

    #: A curve or a kind of mark was shown or hidden: its name, and whether it is shown.
    toggled = Signal(str, bool)
    #: All data should be visible.
    all_requested = Signal()
    #: Export this plot as a picture, or a table of the steps or epochs: "picture", "steps", "epochs".
    export_requested = Signal(str)

    def __init__(self, plot: str, title: str, help: str, styles: tuple[CurveStyle, ...]) -> None:
        super().__init__()
        heading = QLabel(title)
        heading.setObjectName("plotTitle")
        heading.setToolTip(help)
        self.entries = {style.name: LegendEntry(style, plot, self) for style in styles}
        self.note = QLabel()
        self.note.setObjectName("muted")
        self.note.hide()
        #: Lies over the plot, so that nothing moves when it appears; the plot places it.
        self.all_button = QPushButton(self.tr("Show all"), self)
        self.all_button.setObjectName(f"{plot}AllButton")
        self.all_button.setProperty("small", True)
        self.all_button.setToolTip(self.tr("You have moved or zoomed the plot. Show all again, and follow new data."))
        self.all_button.clicked.connect(self.all_requested)
        self.all_button.hide()
        self._exports: dict[str, QAction] = {}
        self.menu_button = self._make_menu(plot, title)
        flow = FlowBox(theme.GAP, 0)
        flow.addWidget(heading)
        for name, legend_entry in self.entries.items():
            legend_entry.toggled.connect(lambda on, name=name: self.toggled.emit(name, on))
            flow.addWidget(legend_entry)
        flow.addWidget(self.note)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.HALF)
        layout.addWidget(flow, 1)
        layout.addWidget(self.menu_button, 0, Qt.AlignmentFlag.AlignTop)
        self._paint()

    def set_note(self, text: str, explanation: str) -> None:
        """Show a text beside the legend."""
        self.note.setText(text)
        self.note.setToolTip(explanation)
        self.note.setVisible(bool(text))

    def show_exportable(self, kinds: Collection[str]) -> None:
        """Offer to export these of "picture", "steps" and "epochs"."""
        for kind, action in self._exports.items():
            action.setEnabled(kind in kinds)

    def changeEvent(self, event: QEvent) -> None:
        """Apply the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._paint()

    def _make_menu(self, plot: str, title: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"{plot}MenuButton")
        button.setAccessibleName(self.tr("{0}: export").format(title))
        button.setToolTip(self.tr("Export this plot as a picture, or its figures as a table"))
        button.setProperty("small", True)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        for kind, text in (
            ("picture", self.tr("Export picture…")),
            ("steps", self.tr("Export steps as CSV…")),
            ("epochs", self.tr("Export epochs as CSV…")),
        ):
            self._exports[kind] = action = menu.addAction(text)
            action.triggered.connect(partial(self._on_chosen, kind))
        button.setMenu(menu)
        return button

    def _on_chosen(self, kind: str, _is_checked: bool = False) -> None:
        self.export_requested.emit(kind)

    def _paint(self) -> None:
        self.menu_button.setIcon(icon("more", theme.colors().muted))
