"""Draws the small curve of losses in a row."""

from collections.abc import Sequence

from PySide6.QtCore import (
    QPointF,
    QRectF,
    Qt,
)
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from distill.gui.widgets import theme


def paint_curve(painter: QPainter, position: QRectF, values: Sequence[float], width: float) -> None:
    """Draw losses over their whole range with a dot on the lowest; ``width`` is the line's."""
    if len(values) < 2:
        return
    low, high = min(values), max(values)
    reach = (high - low) or 1.0
    step = position.width() / (len(values) - 1)
    points = [
        QPointF(position.left() + step * n, position.bottom() - position.height() * (v - low) / reach)
        for n, v in enumerate(values)
    ]
    color = QColor(theme.colors().second)
    painter.setPen(QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF(points))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawEllipse(points[min(range(len(values)), key=values.__getitem__)], 1.6 * width, 1.6 * width)
