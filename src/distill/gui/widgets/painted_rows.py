"""Lists whose rows a delegate paints: the views, painting a row, editing its name, and its actions."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QAction, QColor, QFont, QFontMetrics, QKeyEvent, QKeySequence, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from distill.gui.widgets import theme
from distill.gui.widgets.focus import paint_focus
from distill.gui.widgets.plain_text import readable

Model = TypeVar("Model", bound=QAbstractItemModel)
AnyIndex = QModelIndex | QPersistentModelIndex

#: An action of a row: its name in the program, its text, a key, and the function that is called with the item.
RowAction = tuple[str, str, str | None, Callable[[Any], object]]


class RenamingDelegate(QStyledItemDelegate):
    """Lets the name of a row be edited in place.  A subclass paints the row.

    Parameters
    ----------
    editor_name, editor_title
        Object name of the editor, and what a screen reader calls it.
    parent
        Qt parent.
    """

    def __init__(self, editor_name: str, editor_title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._editor_name, self._editor_title = editor_name, editor_title

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: AnyIndex) -> QWidget:
        """Create the editor of the name."""
        editor = super().createEditor(parent, option, index)
        editor.setObjectName(self._editor_name)
        editor.setAccessibleName(self._editor_title)
        return editor

    def setEditorData(self, editor: QWidget, index: AnyIndex) -> None:
        """Show the name, but not over one that is being typed: Qt asks for it whenever the row changes."""
        if not (isinstance(editor, QLineEdit) and editor.isModified()):
            super().setEditorData(editor, index)


class StyledText(NamedTuple):
    """A text and its colour."""

    text: str
    color: str


# Painting.


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


def source_of(model: Any, kind: type[Model]) -> Model:
    """Return the model of a kind under a view's model: this one, or the source of its proxies."""
    while not isinstance(model, kind):
        model = model.sourceModel()
    return model


# Views.


class PaintedRows(QListView):
    """Rows of one height that a delegate paints, in the colours of the theme."""

    def __init__(self, model: QAbstractItemModel) -> None:
        super().__init__()
        self.setModel(model)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)

    def changeEvent(self, event: QEvent) -> None:
        """Repaint the rows in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.viewport().update()


class RowView(PaintedRows):
    """A list whose rows have a name to edit and a menu of actions.

    Parameters
    ----------
    kind
        What a row is, for example ``run``: object names of the view's parts begin with it.
    role
        Role under which the model returns the item of a row.
    """

    def __init__(self, kind: str, model: QAbstractItemModel, role: int) -> None:
        super().__init__(model)
        self._kind, self._role = kind, role
        self.setObjectName(f"{kind}List")
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu_requested)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave Space to the window, where it plays and stops."""
        if event.key() == Qt.Key.Key_Space:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def current_item(self) -> Any:
        """Return the item under the cursor, or None."""
        return self.currentIndex().data(self._role)

    def edit_current(self) -> None:
        """Open the editor for the name under the cursor."""
        self.edit(self.currentIndex())

    def offer(self, offered: Iterable[RowAction]) -> dict[str, QAction]:
        """Add actions to the menu of a row; their keys work while the list has the focus."""
        return {name: self._add_action(name, text, key, do) for name, text, key, do in offered}

    def _add_action(self, name: str, text: str, key: str | None, do: Callable[[Any], object]) -> QAction:
        action = QAction(text, self)
        action.setObjectName(f"{self._kind} {name}")
        if key is not None:
            action.setShortcut(QKeySequence(key))
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.setAutoRepeat(False)  # a key that is held down would delete row after row
        action.triggered.connect(lambda: self._with_current(do))
        self.addAction(action)
        return action

    def _with_current(self, do: Callable[[Any], object]) -> None:
        item = self.current_item()
        if item is not None:
            do(item)

    def _on_menu_requested(self, position: QPoint) -> None:
        index = self.indexAt(position)
        if index.isValid() and self.selectionModel().isSelected(index):  # one of several: they all stay chosen
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
        elif index.isValid():
            self.setCurrentIndex(index)
        if self.current_item() is None:
            return
        menu = QMenu(self)
        menu.setObjectName(f"{self._kind}Menu")
        menu.addActions(self.actions())
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.viewport().mapToGlobal(position))
