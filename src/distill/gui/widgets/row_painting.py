"""What rows of lists have in common where they paint themselves: ground, lines of text, and a small curve."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from PySide6.QtCore import QAbstractItemModel, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from distill.gui.widgets import theme

Model = TypeVar("Model", bound=QAbstractItemModel)


class StyledText(NamedTuple):
    """What is written, and in which colour."""

    text: str
    color: str


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


def write_line(painter: QPainter, font: QFont, position: QRect, text: str, color: str, keeps_end: bool = False) -> None:
    """Write as much of a text as fits; with ``keeps_end`` the middle goes, for names that differ at their ends."""
    painter.setFont(font)
    painter.setPen(QColor(color))
    mode = Qt.TextElideMode.ElideMiddle if keeps_end else Qt.TextElideMode.ElideRight
    short = painter.fontMetrics().elidedText(text, mode, position.width())
    painter.drawText(position, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, short)


def whole_facts(facts: Sequence[str], metrics: QFontMetrics, width: int) -> str:
    """Return as many facts as fit into a line, each of them whole: half a word tells nothing.

    The first one always stays; the tooltip of a row has all of them.
    """
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


def paint_curve(painter: QPainter, position: QRectF, values: Sequence[float], width: float) -> None:
    """Draw losses over their whole range, with a dot on the lowest; ``width`` is that of the line."""
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


def row_size(option: QStyleOptionViewItem, lines: int) -> QSize:
    """Return the size of a row of so many lines, as `write_row` fills it."""
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
    """Write a row: its name and, at the right, a few words beside it; then lines of facts, with a curve if any."""
    name, side = head
    line = option.fontMetrics.height() + 2
    bold = QFont(option.font)
    bold.setBold(True)
    side_width = min(option.fontMetrics.horizontalAdvance(side.text), position.width() // 2)
    name_area = QRect(position.left(), position.top(), position.width() - side_width - theme.GAP, line)
    write_line(painter, bold, name_area, *name)
    write_line(painter, option.font, QRect(position.right() - side_width, position.top(), side_width + 1, line), *side)
    width = facts_width(position, curve, curve_width)
    for number, fact in enumerate(facts, 1):
        write_line(painter, option.font, QRect(position.left(), position.top() + number * line, width, line), *fact)
    curve_area = QRectF(position.right() - curve_width, position.top() + line + 3, curve_width, len(facts) * line - 6)
    paint_curve(painter, curve_area, curve, 1.4)


def facts_width(position: QRect, curve: Sequence[float], curve_width: int) -> int:
    """Return the room that a row's facts have beside its curve."""
    return position.width() - (curve_width + theme.GAP if len(curve) > 1 else 0)


def source_of(model: Any, kind: type[Model]) -> Model:
    """Return the model of a kind that lies under a view's model: this one, or what its proxies stand on."""
    while not isinstance(model, kind):
        model = model.sourceModel()
    return model
