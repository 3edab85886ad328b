"""Paints the rows of lists: background, lines of text, facts and a small curve of losses."""

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import (
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import (
    QStyle,
    QStyleOptionViewItem,
)

from distill.gui.widgets import theme
from distill.gui.widgets.focus import paint_focus
from distill.gui.widgets.plain_text import readable


class StyledText(NamedTuple):
    """A text and its colour."""

    text: str
    color: str


def mirrored(option: QStyleOptionViewItem, area: QRect) -> QRect:
    """Return an area of a row, which is given as for reading from the left, for the direction of the window."""
    return QStyle.visualRect(option.direction, option.rect, area)


def paint_ground(painter: QPainter, option: QStyleOptionViewItem, mark: str = "") -> None:
    """Paint the background of a row: selection, hover and focus; and a bar in the colour ``mark`` at its beginning."""
    rect: QRect = option.rect
    state: QStyle.StateFlag = option.state
    colors, ground = theme.colors(), QRectF(rect).adjusted(1, 1, -1, -1)
    is_selected = bool(state & QStyle.StateFlag.State_Selected)
    if is_selected or state & QStyle.StateFlag.State_MouseOver:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.selection if is_selected else colors.hover))
        painter.drawRoundedRect(ground, 6, 6)
    if state & QStyle.StateFlag.State_HasFocus:
        paint_focus(painter, QRectF(rect))
    if mark:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(mark))
        bar = mirrored(option, QRect(rect.left() + 3, rect.top() + 8, 3, rect.height() - 16))
        painter.drawRoundedRect(QRectF(bar), 1.5, 1.5)


def write_line(painter: QPainter, font: QFont, position: QRect, text: str, color: str, keeps_end: bool = False) -> None:
    """Write one line, elided to fit; with ``keeps_end`` in the middle, for names that differ at their ends."""
    painter.setFont(font)
    painter.setPen(QColor(color))
    mode = Qt.TextElideMode.ElideMiddle if keeps_end else Qt.TextElideMode.ElideRight
    short = painter.fontMetrics().elidedText(readable(text), mode, position.width())
    painter.drawText(position, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, short)


def whole_facts(facts: Sequence[str], metrics: QFontMetrics, width: int) -> str:
    """Return as many facts as fit into a line, none of them cut; the first one always stays."""
    line = ""
    for fact in filter(None, facts):
        longer = f"{line} · {fact}" if line else fact
        if line and metrics.horizontalAdvance(longer) > width:
            break
        line = longer
    return line


def two_lines(text: str, metrics: QFontMetrics, width: int) -> tuple[str, str]:
    """Break a sentence between two words, so that its first line fits."""
    words = text.split()
    count = len(words)
    while count > 1 and metrics.horizontalAdvance(" ".join(words[:count])) > width:
        count -= 1
    return " ".join(words[:count]), " ".join(words[count:])


def row_size(option: QStyleOptionViewItem, lines: int) -> QSize:
    """Return the size of a row with so many lines, as `write_row` fills it."""
    return QSize(120, lines * option.fontMetrics.height() + 4 * theme.HALF)


def write_row(
    painter: QPainter,
    option: QStyleOptionViewItem,
    position: QRect,
    head: tuple[StyledText, StyledText],
    facts: Sequence[StyledText],
    curve: Sequence[float],
    curve_width: int,
) -> None:
    """Write a row: the name, a short text at its end, then lines of facts, with a curve if there is one.

    ``position`` is given as for reading from the left, see `mirrored`.
    """
    name, side = head
    line = option.fontMetrics.height() + 2
    bold, small = QFont(option.font), theme.sized(option.font, theme.SMALL)
    bold.setBold(True)
    side_width = min(option.fontMetrics.horizontalAdvance(side.text), position.width() // 2)
    name_area = QRect(position.left(), position.top(), position.width() - side_width - theme.GAP, line)
    write_line(painter, bold, mirrored(option, name_area), *name)
    side_area = QRect(position.right() - side_width, position.top(), side_width + 1, line)
    write_line(painter, small, mirrored(option, side_area), *side)
    width = facts_width(position, curve, curve_width)
    for number, fact in enumerate(facts, 1):
        fact_area = QRect(position.left(), position.top() + number * line, width, line)
        write_line(painter, small, mirrored(option, fact_area), *fact)
    curve_area = QRect(position.right() - curve_width, position.top() + line + 3, curve_width, len(facts) * line - 6)
    paint_curve(painter, QRectF(mirrored(option, curve_area)), curve, 1.4)


def facts_width(position: QRect, curve: Sequence[float], curve_width: int) -> int:
    """Return the width of a row's facts beside its curve."""
    return position.width() - (curve_width + theme.GAP if len(curve) > 1 else 0)


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
