"""What rows of lists have in common where they paint themselves: ground, lines of text, and a small curve."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from distill.gui import theme


def paint_ground(painter: QPainter, option: QStyleOptionViewItem, is_marked: bool = False) -> None:
    """Paint what shows that a row is chosen, under the mouse, or has the keyboard.

    A marked one, the one that is shown or heard, gets a bar at its left, as an open page has in a list of pages.
    """
    rect: QRect = option.rect
    state: QStyle.StateFlag = option.state
    colors, ground = theme.colors(), QRectF(rect).adjusted(1, 1, -1, -1)
    is_selected = bool(state & QStyle.StateFlag.State_Selected)
    if is_selected or state & QStyle.StateFlag.State_MouseOver:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.accent_soft if is_selected else colors.hover))
        painter.drawRoundedRect(ground, 6, 6)
    if state & QStyle.StateFlag.State_HasFocus:
        painter.setPen(QPen(QColor(colors.accent), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(ground, 6, 6)
    if is_marked:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.accent))
        painter.drawRoundedRect(QRectF(rect.left() + 3, rect.top() + 8, 3, rect.height() - 16), 1.5, 1.5)


def write_line(painter: QPainter, font: QFont, place: QRect, text: str, color: str, keeps_end: bool = False) -> None:
    """Write as much of a text as fits; with ``keeps_end`` the middle goes, for names that differ at their ends."""
    painter.setFont(font)
    painter.setPen(QColor(color))
    mode = Qt.TextElideMode.ElideMiddle if keeps_end else Qt.TextElideMode.ElideRight
    short = painter.fontMetrics().elidedText(text, mode, place.width())
    painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, short)


def paint_curve(painter: QPainter, place: QRectF, values: Sequence[float], width: float) -> None:
    """Draw losses over their whole range, with a dot on the lowest; ``width`` is that of the line."""
    if len(values) < 2:
        return
    low, high = min(values), max(values)
    reach = (high - low) or 1.0
    step = place.width() / (len(values) - 1)
    points = [
        QPointF(place.left() + step * n, place.bottom() - place.height() * (v - low) / reach)
        for n, v in enumerate(values)
    ]
    color = QColor(theme.colors().second)
    painter.setPen(QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF(points))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawEllipse(points[min(range(len(values)), key=values.__getitem__)], 1.6 * width, 1.6 * width)
