"""What a plot is compared with: dashed lines at values that matter, and shaded bands between two."""

import math
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor

from distill.gui.widgets.theme import Colors

#: How much of the ground behind a label covers what passes under it.
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

    def add_line(self, y: float, label: str) -> None:
        """Draw a dashed line, which is always in view."""
        options = {"position": 0.04, "anchors": [(0, 1), (0, 1)]}
        line = pg.InfiniteLine(y, angle=0, label=label, labelOpts=options)
        self._item.addItem(line, ignoreBounds=False)
        self._lines.append((line, y))

    def add_band(self, low: float, high: float, color: str) -> None:
        """Shade the values between two, in a colour of the theme."""
        band = pg.LinearRegionItem((low, high), orientation="horizontal", movable=False)
        band.setZValue(-10)
        for line in band.lines:
            line.setPen(None)
        self._item.addItem(band, ignoreBounds=True)
        self._bands.append((band, color))

    def set_log(self, is_log: bool) -> None:
        """Move the lines to an axis of logarithms, or back."""
        for line, y in self._lines:
            line.setValue(math.log10(y) if is_log else y)

    def show_labels(self, are_shown: bool) -> None:
        """Show or hide what stands at the lines."""
        for line, _ in self._lines:
            line.label.setVisible(are_shown)

    def labels(self) -> list[tuple[QRectF, str]]:
        """Return what stands at the lines, and where in the scene."""
        labels = [line.label for line, _ in self._lines]
        return [(label.mapRectToScene(label.boundingRect()), label.textItem.toPlainText()) for label in labels]

    def paint(self, colors: Colors, scale: float = 1.0) -> None:
        """Take on these colours; lines are ``scale`` dots wide."""
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
