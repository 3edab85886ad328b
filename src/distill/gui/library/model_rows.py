"""The rows of the list of models: renaming, stars, which are new, and how a row is painted with its small curve."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QCoreApplication,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QMouseEvent, QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem, QWidget

from distill.gui.library.model_facts_text import model_tip, row_facts, spoken_text
from distill.gui.lists.list_model import ITEM_ROLE, MARKED_ROLE, ListModel
from distill.gui.lists.row_painting import (
    StyledText,
    facts_width,
    mirrored,
    paint_ground,
    row_size,
    two_lines,
    whole_facts,
    write_row,
)
from distill.gui.lists.row_views import RenamingDelegate, source_of
from distill.gui.widgets import theme
from distill.gui.widgets.icons import SIDE, pixmap
from distill.library.model_entry import ModelEntry

Index = QModelIndex | QPersistentModelIndex

#: Width of the small curve, in device-independent pixels.
CURVE_WIDTH = 48


class ModelTable(ListModel[ModelEntry]):
    """The models of the library.  A model that arrived while the window was open and was not viewed yet is marked."""

    #: The user has typed another name, or clicked on the star.
    renamed = Signal(object, str)  # ModelEntry, name
    starred = Signal(object, bool)  # ModelEntry, wanted

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(lambda model_entry: model_entry.path, parent)

    def mark_rows_new(self, paths: Iterable[Path]) -> None:
        """Mark the rows of these models as new."""
        self.set_marked(self.marked | frozenset(paths))

    def remove_new_mark(self, path: Path) -> None:
        """Mark the row of a model as new no longer."""
        self.set_marked(self.marked - {path})

    def item_data(self, item: ModelEntry, role: int) -> Any:
        """Return what a row shows."""
        if role == Qt.ItemDataRole.DisplayRole:
            return item.shown_name
        if role == Qt.ItemDataRole.EditRole:
            return item.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken_text(item, self.is_marked(item))
        return model_tip(item) if role == Qt.ItemDataRole.ToolTipRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return the flags of a row: a model that cannot be used cannot be renamed."""
        flags = super().flags(index)
        if index.isValid() and self.item(index.row()).problem is None:
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Request another name; the row shows it once it is stored."""
        name, entry = " ".join(str(value).split()), self.item(index.row())
        if role != Qt.ItemDataRole.EditRole or not name or name == entry.name:
            return False
        self.renamed.emit(entry, name)
        return True


class ModelDelegate(RenamingDelegate):
    """Paints a model in four lines, its star before and its curve behind them; a click on the star toggles it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__("modelNameEdit", QCoreApplication.translate("ModelDelegate", "Name of the model"), parent)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of four lines."""
        return row_size(option, 4)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a row."""
        entry = index.data(ITEM_ROLE)
        if not isinstance(entry, ModelEntry):
            return
        colors = theme.colors()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option)
        self._paint_star(painter, option, entry)
        is_new = index.data(MARKED_ROLE)
        side = StyledText(self.tr("New"), colors.accent) if is_new else StyledText(", ".join(entry.tags), colors.muted)
        head = StyledText(entry.shown_name, colors.muted if entry.problem else colors.text), side
        facts = [StyledText(text, colors.muted) for text in self.lines(entry, option)]
        if entry.problem is not None:
            facts[0] = StyledText(facts[0].text, colors.bad)
        write_row(painter, option, _text_area(option.rect), head, facts, entry.facts.curve, CURVE_WIDTH)
        painter.restore()

    @staticmethod
    def lines(entry: ModelEntry, option: QStyleOptionViewItem) -> tuple[str, ...]:
        """Return what stands under the name in a row of this width."""
        metrics, width = option.fontMetrics, facts_width(_text_area(option.rect), entry.facts.curve, CURVE_WIDTH)
        facts = row_facts(entry)
        if entry.problem is not None:
            return facts[0][0], *two_lines(entry.problem, metrics, width)
        return tuple(whole_facts(line, metrics, width) for line in facts)

    def editorEvent(self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index) -> bool:
        """Toggle the star that was clicked."""
        if isinstance(event, QMouseEvent) and event.button() is Qt.MouseButton.LeftButton:
            entry = index.data(ITEM_ROLE)
            is_star = QRectF(_model_star_area(option)).adjusted(-6, -6, 6, 6).contains(event.position())
            if is_star and isinstance(entry, ModelEntry) and entry.problem is None:
                if event.type() is QEvent.Type.MouseButtonRelease:
                    source_of(model, ModelTable).starred.emit(entry, not entry.starred)
                return True
        return super().editorEvent(event, model, option, index)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        """Place the editor over the name."""
        area = _text_area(option.rect)
        field = QRect(area.left() - theme.GAP, option.rect.top() + 1, area.width() + 2 * theme.GAP, 28)
        editor.setGeometry(mirrored(option, field))

    def _paint_star(self, painter: QPainter, option: QStyleOptionViewItem, entry: ModelEntry) -> None:
        state: QStyle.StateFlag = option.state
        is_near = bool(state & (QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_Selected))
        if entry.problem is not None or not (entry.starred or is_near):
            return
        colors, device = theme.colors(), painter.device()
        scale = device.devicePixelRatioF() if device is not None else 1.0
        name, color = ("starred", colors.accent) if entry.starred else ("star", colors.border_strong)
        painter.drawPixmap(_model_star_area(option).topLeft(), pixmap(name, color, SIDE, scale))


def _model_star_area(option: QStyleOptionViewItem) -> QRect:
    row: QRect = option.rect
    return mirrored(option, QRect(row.left() + theme.GAP, row.top() + theme.HALF + 1, SIDE, SIDE))


def _text_area(row: QRect) -> QRect:
    return row.adjusted(2 * theme.GAP + SIDE, theme.HALF, -theme.GAP, -theme.HALF)
