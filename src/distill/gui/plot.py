"""A plot that looks like the rest of the window, with a legend that reads out the newest values."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from distill.gui import theme

#: Curves of up to this many points are drawn with a dot at each.
MOST_DOTS = 60


@dataclass(frozen=True)
class CurveStyle:
    """How a curve looks: ``color`` is the name of a field of `theme.Colors`.

    ``dot`` is pyqtgraph's name of the sign at each point, ``glyph`` the character for it in the legend.
    """

    name: str
    label: str
    color: str
    width: float = 2.0
    help: str = ""
    dot: str = "o"
    glyph: str = "●"
    opacity: float = 1.0
    in_legend: bool = True


class KeyPlotWidget(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """A plot that the keyboard moves (arrows), zooms (plus, minus) and shows whole again (Home)."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move, zoom, or show all."""
        box = self.getPlotItem().getViewBox()
        width, height = box.viewRect().width(), box.viewRect().height()
        moves = {
            Qt.Key.Key_Left: (-width / 10, 0), Qt.Key.Key_Right: (width / 10, 0),
            Qt.Key.Key_Down: (0, -height / 10), Qt.Key.Key_Up: (0, height / 10),
        }  # fmt: skip
        zooms = {Qt.Key.Key_Plus: 0.8, Qt.Key.Key_Equal: 0.8, Qt.Key.Key_Minus: 1.25}
        key = Qt.Key(event.key())
        if key in moves:
            box.translateBy(x=moves[key][0], y=moves[key][1])
        elif key in zooms:
            box.scaleBy((zooms[key], zooms[key]))
        elif key == Qt.Key.Key_Home:
            self.getPlotItem().enableAutoRange()
        else:
            super().keyPressEvent(event)


class Plot(QWidget):
    """A titled `pyqtgraph.PlotWidget` over epochs."""

    def __init__(
        self,
        object_name: str,
        title: str,
        curves: tuple[CurveStyle, ...],
        parent: QWidget | None = None,
        has_legend: bool = True,
    ) -> None:
        super().__init__(parent)
        self._styles = {style.name: style for style in curves}
        self._reference: tuple[Any, float] | None = None
        self.widget = KeyPlotWidget()
        self.widget.setObjectName(object_name)
        self.widget.setAccessibleName(title)
        self.widget.setToolTip(self.tr("Drag or arrow keys move, wheel or + and − zoom, Home shows all."))
        self.widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.widget.setMinimumHeight(90)
        self.widget.setMenuEnabled(False)
        self.widget.hideButtons()
        self._item = self.widget.getPlotItem()
        self._item.setContentsMargins(0, 4, 8, 0)
        self._item.showGrid(y=True, alpha=0.15)
        self._item.getAxis("left").setWidth(44)
        self._item.setLabel("bottom", self.tr("epoch"))
        self._item.getAxis("bottom").setHeight(34)
        for side in ("left", "bottom"):
            self._item.getAxis(side).enableAutoSIPrefix(False)  # no "epoch (x0.001)"
        self._item.setLimits(xMin=0)
        self._curves = {style.name: self._add_curve(style) for style in curves}
        self._heading = QLabel(title)
        self._heading.setObjectName("panelTitle")
        self._labels = {style.name: QLabel(self) for style in curves if has_legend and style.in_legend}
        self._values: dict[str, float | None] = dict.fromkeys(self._styles)
        header = QHBoxLayout()
        header.setSpacing(theme.MARGIN)
        header.addWidget(self._heading)
        header.addStretch(1)
        self._note = QLabel()
        self._note.setObjectName("muted")
        header.addWidget(self._note)
        for name, label in self._labels.items():
            label.setToolTip(self._styles[name].help)
            header.addWidget(label)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.HALF)
        layout.addLayout(header)
        layout.addWidget(self.widget, 1)
        self._paint()

    def add_reference(self, y: float, label: str) -> None:
        """Draw a dashed line across the plot."""
        line = pg.InfiniteLine(y, angle=0, label=label, labelOpts={"position": 0.04, "anchors": [(0, 1), (0, 1)]})
        self._item.addItem(line, ignoreBounds=False)
        self._reference = (line, y)
        self._paint()

    def set_curve(self, name: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Draw a curve; points that are not finite leave a gap, and the newest finite one is read out."""
        style = self._styles[name]
        if not np.isfinite(y).any():  # pyqtgraph looks for the bounds of what is drawn, and there are none
            x, y = x[:0], y[:0]
        dots = style.dot if style.width > 1 and len(x) <= MOST_DOTS else None  # a line through one point is no line
        self._curves[name].setData(x, y, connect="finite", symbol=dots)
        finite = np.isfinite(y[-50:])
        self._set_value(name, float(y[-50:][finite][-1]) if finite.any() else None)

    def clear(self) -> None:
        """Empty all curves and show the next data whole."""
        for name, curve in self._curves.items():
            curve.setData([], [])
            self._set_value(name, None)
        self.set_note("")
        self._item.enableAutoRange()

    def set_note(self, text: str, explanation: str = "") -> None:
        """Say something beside the legend."""
        self._note.setText(text)
        self._note.setToolTip(explanation)

    def note(self) -> str:
        """What is said beside the legend."""
        return self._note.text()

    def changeEvent(self, event: QEvent) -> None:
        """Take on the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._paint()

    def _add_curve(self, style: CurveStyle) -> Any:
        # Smooth edges cost time with every point: they are for curves by epoch, which have few.
        curve = pg.PlotDataItem(antialias=style.width > 1)
        curve.setDownsampling(auto=True, method="peak")
        curve.setClipToView(True)
        self._item.addItem(curve)
        return curve

    def _set_value(self, name: str, value: float | None) -> None:
        self._values[name] = value
        self._label(name)

    def _label(self, name: str) -> None:
        if name not in self._labels:
            return
        style = self._styles[name]
        color = getattr(theme.colors(), style.color)
        value = self._values[name]
        number = f" <b>{value:.3g}</b>" if value is not None else ""
        text = f'<span style="color:{color}">{style.glyph}</span> {style.label}{number}'
        if self._labels[name].text() != text:
            self._labels[name].setText(text)
            self._labels[name].setVisible(value is not None)

    def _paint(self) -> None:
        current = theme.colors()
        self.widget.setBackground(current.surface)
        for side in ("left", "bottom"):
            axis = self._item.getAxis(side)
            axis.setPen(pg.mkPen(current.border_strong))
            axis.setTextPen(pg.mkPen(current.muted))
        for name, style in self._styles.items():
            color = QColor(getattr(current, style.color))
            color.setAlphaF(style.opacity)
            self._curves[name].setPen(pg.mkPen(color, width=style.width))
            self._curves[name].setSymbolPen(None)
            self._curves[name].setSymbolBrush(color)
            self._curves[name].setSymbolSize(5)
            self._label(name)
        if self._reference is not None:
            line, _ = self._reference
            line.setPen(pg.mkPen(current.muted, width=1, style=Qt.PenStyle.DashLine))
            line.label.setColor(QColor(current.muted))
