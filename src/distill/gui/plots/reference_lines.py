"""Reference lines and shaded bands behind the curves of a plot."""

import math
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor

from distill.gui.widgets.theme import Colors

#: Opacity of the background of a label.
LABEL_GROUND = 0.85


class References:
    """Lines and bands of one plot.

    Parameters
    ----------
    item
        The plot, a `pyqtgraph.PlotItem`.
    """

    def __init__(self, item: Any) -> None:
        self._item = item
        self._lines: list[tuple[Any, float]] = []
        self._bands: list[tuple[Any, str]] = []

    @property
    def heights(self) -> list[float]:
        """Positions of the lines on the axis of values."""
        return [float(line.value()) for line, _ in self._lines]

    def add_line(self, y: float, label: str) -> None:
        """Draw a dashed line, which is always visible."""
        options = {"position": 0.04, "anchors": [(0, 1), (0, 1)]}
        line = pg.InfiniteLine(y, angle=0, label=label, labelOpts=options)
        self._item.addItem(line, ignoreBounds=False)
        self._lines.append((line, y))

    def add_band(self, low: float, high: float, color: str) -> None:
        """Shade a range of values in a colour of the theme."""
        band = pg.LinearRegionItem((low, high), orientation="horizontal", movable=False)
        band.setZValue(-10)
        for line in band.lines:
            line.setPen(None)
        self._item.addItem(band, ignoreBounds=True)
        self._bands.append((band, color))

    def set_log(self, is_log: bool) -> None:
        """Move the lines for a logarithmic or linear axis."""
        for line, y in self._lines:
            line.setValue(math.log10(y) if is_log else y)

    def show_labels(self, are_shown: bool) -> None:
        """Show or hide the labels of the lines."""
        for line, _ in self._lines:
            line.label.setVisible(are_shown)

    def labels(self) -> list[tuple[QRectF, str]]:
        """Return the rectangles of the labels in the scene, and their texts."""
        labels = [line.label for line, _ in self._lines]
        return [(label.mapRectToScene(label.boundingRect()), label.textItem.toPlainText()) for label in labels]

    def paint(self, colors: Colors, scale: float = 1.0) -> None:
        """Apply these colours; lines are ``scale`` pixels wide."""
        for line, _ in self._lines:
            line.setPen(pg.mkPen(colors.muted, width=scale, style=Qt.PenStyle.DashLine))
            line.label.setColor(QColor(colors.muted))
            ground = QColor(colors.surface)
            ground.setAlphaF(LABEL_GROUND)
            line.label.fill = pg.mkBrush(ground)  # curves pass under the words
        for band, color in self._bands:
            fill = QColor(getattr(colors, color))
            fill.setAlphaF(0.1)
            band.setBrush(fill)
