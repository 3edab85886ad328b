"""Paints a row of the queue: name, state and facts."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from distill.gui.lists.list_model import ITEM_ROLE, MARKED_ROLE
from distill.gui.lists.row_painting import StyledText, paint_ground, row_size, write_row
from distill.gui.queue.list_row_texts import facts_text, status_text
from distill.gui.widgets import theme
from distill.runs.queue import FAILED, FINISHED, RUNNING, QueueEntry

Index = QModelIndex | QPersistentModelIndex


class QueueDelegate(QStyledItemDelegate):
    """Paints an entry in two lines."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of two lines."""
        return row_size(option, 2)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a row."""
        entry = index.data(ITEM_ROLE)
        if not isinstance(entry, QueueEntry):
            return
        colors, is_training = theme.colors(), bool(index.data(MARKED_ROLE))
        running = colors.accent if is_training else colors.fair
        entry_colors = {FINISHED: colors.good, FAILED: colors.bad, RUNNING: running}
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option, colors.accent if is_training else "")
        position = option.rect.adjusted(theme.MARGIN, theme.HALF, -theme.GAP, -theme.HALF)
        state = StyledText(status_text(entry, is_training), entry_colors.get(entry.status, colors.muted))
        facts = StyledText(facts_text(entry), colors.bad if entry.problem else colors.muted)
        write_row(painter, option, position, (StyledText(entry.name, colors.text), state), (facts,), (), 0)
        painter.restore()
