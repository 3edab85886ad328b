"""The header of a plot: title, legend, note, "Show all", and a menu of exports.

In the legend, a button for each curve, with its line and newest value, hides or shows the curve.
"""

from collections.abc import Collection
from functools import partial

from pyqtgraph.graphicsItems.ScatterPlotItem import Symbols
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QEnterEvent, QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from distill.gui.plots.curve_drawing import CurveStyle
from distill.gui.widgets import theme
from distill.gui.widgets.flow_box import FlowBox
from distill.gui.widgets.icons import icon

#: Length of an entry's line sample, and its padding.
LINE, PAD = 18, 4


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


class LegendEntry(QAbstractButton):
    """Shows a sample of the line, its name and a value; a click or Return hides or shows the curve.

    It never gets narrower, so that the legend does not move during a run.
    """

    def __init__(self, style: CurveStyle, plot: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._style = style
        self._value: float | None = None
        self._is_averaged = self._is_hovered = False
        self._value_width = 0.0  # of the longest value so far
        self.setObjectName(f"legend-{plot}-{style.name}")
        self.setText(style.label)
        self.setProperty("legend", True)
        self.setCheckable(True)
        self.setChecked(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.toggled.connect(lambda _on: self._describe())
        self._describe()

    @property
    def value(self) -> float | None:
        """The displayed value."""
        return self._value

    def show_value(self, value: float | None) -> None:
        """Display a value; None for none."""
        if value != self._value:
            self._value = value
            self._describe()
            needed = QFontMetricsF(self._bold()).horizontalAdvance(self._value_text())
            if needed > self._value_width:
                self._value_width = needed
                self.updateGeometry()

    def show_averaged(self, is_averaged: bool) -> None:
        """Show the line of the moving average, or that of the curve itself."""
        self._is_averaged = is_averaged
        self.update()

    def sizeHint(self) -> QSize:
        """Return the size with the longest value."""
        metrics = QFontMetricsF(self.font())
        width = LINE + 2 * PAD + theme.HALF + metrics.horizontalAdvance(self._style.label)
        if self._style.has_value:
            usual = QFontMetricsF(self._bold()).horizontalAdvance(self._style.usual_value)
            width += theme.HALF + max(self._value_width, usual)
        return QSize(round(width) + 1, round(metrics.height()) + PAD)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Highlight the entry."""
        super().enterEvent(event)
        self._is_hovered = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """End the highlight."""
        super().leaveEvent(event)
        self._is_hovered = False
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint line, name and value; pale with the name struck out while the curve is hidden."""
        painter = QPainter(self)
        self.paint(painter, QRectF(self.rect()))
        painter.end()

    def paint(self, painter: QPainter, rect: QRectF) -> None:
        """Paint the entry, on the screen or in an exported picture."""
        colors, style = theme.colors(), self._style
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setLayoutDirection(Qt.LayoutDirection.LeftToRight)  # as the plot
        on_screen = painter.device() is self
        if on_screen and (self._is_hovered or self.hasFocus()):
            painter.setPen(QColor(colors.second) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.hover))
            painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        color = getattr(colors, self._color_name()) if self.isChecked() else colors.disabled
        self._paint_line(painter, rect.left() + PAD, rect.center().y(), color)
        font = QFont(self.font())
        font.setStrikeOut(not self.isChecked())
        painter.setFont(font)
        painter.setPen(QColor(colors.text if self.isChecked() else colors.disabled))
        x = rect.left() + PAD + LINE + theme.HALF
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(QRectF(x, rect.top(), rect.right() - x, rect.height()), flags, style.label)
        if self._style.has_value and self.isChecked():
            x += QFontMetricsF(self.font()).horizontalAdvance(style.label) + theme.HALF
            painter.setFont(self._bold())
            painter.drawText(QRectF(x, rect.top(), rect.right() - x, rect.height()), flags, self._value_text())

    def _paint_line(self, painter: QPainter, x: float, y: float, color: str) -> None:
        style = self._style
        if style.width:
            pen = style.pen(color, width=max(1.5, style.width))
            pen.setCosmetic(False)  # as large as the entry, also in a picture
            painter.setPen(pen)
            painter.drawLine(QPointF(x, y), QPointF(x + LINE, y))
        if style.dot:
            painter.save()
            painter.translate(x + LINE / 2, y)
            painter.scale(7, 7)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(color))
            painter.drawPath(Symbols[style.dot])
            painter.restore()

    def changeEvent(self, event: QEvent) -> None:
        """Apply new colours and fonts."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self.updateGeometry()
            self.update()

    def _bold(self) -> QFont:
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold)
        return font

    def _color_name(self) -> str:
        return self._style.strong if self._is_averaged and self._style.strong else self._style.color

    def _value_text(self) -> str:
        return "" if self._value is None else f"{self._value:.3g}"

    def _describe(self) -> None:
        self.setAccessibleName(f"{self._style.label} {self._value_text()}".strip())
        action = self.tr("Click to hide it.") if self.isChecked() else self.tr("Hidden: click to show it.")
        self.setToolTip(f"{self._style.help} {action}".strip())
        self.update()
