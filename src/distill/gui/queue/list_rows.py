"""The rows of the queue: what they say of a run that waits in it, and how they are painted.

A row has name, state and facts: sounds, settings and fixes, or why the run failed.
"""

from typing import Any

from PySide6.QtCore import QCoreApplication, QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from distill.config.family_catalog import family_info
from distill.gui.lists.list_model import ITEM_ROLE, MARKED_ROLE, ListModel
from distill.gui.lists.row_painting import StyledText, paint_ground, row_size, write_row
from distill.gui.widgets import theme
from distill.gui.widgets.formatting import count_of
from distill.gui.widgets.plain_text import rich_tip
from distill.runs.queue import FAILED, FINISHED, RUNNING, STOPPED, QueueEntry

translate = QCoreApplication.translate

#: Most sounds that a tooltip names.
_MOST_SHOWN = 5

Index = QModelIndex | QPersistentModelIndex


class QueueModel(ListModel[QueueEntry]):
    """The entries in the order in which they are run.  The one that is training is marked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(lambda queue_entry: queue_entry.id, parent)

    def item_data(self, item: QueueEntry, role: int) -> Any:
        """Return what a row shows."""
        if role == Qt.ItemDataRole.DisplayRole:
            return item.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken_text(item, self.is_marked(item))
        if role == Qt.ItemDataRole.ToolTipRole:
            return entry_tip(item)
        return None


def status_text(queue_entry: QueueEntry, is_training: bool) -> str:
    """Return the state of an entry in a word."""
    if queue_entry.status == RUNNING:
        return translate("QueueModel", "training") if is_training else translate("QueueModel", "interrupted")
    return {
        STOPPED: translate("QueueModel", "paused"),
        FINISHED: translate("QueueModel", "finished"),
        FAILED: translate("QueueModel", "failed"),
    }.get(queue_entry.status, translate("QueueModel", "waiting"))


def facts_text(queue_entry: QueueEntry) -> str:
    """Return why it failed, otherwise its family, sounds, epochs and changed settings."""
    return queue_entry.problem or _settings_text(queue_entry)


def _settings_text(queue_entry: QueueEntry) -> str:
    info = family_info(queue_entry.family)
    parts = [info.plain_name]
    if len(queue_entry.sounds) == 1:
        parts.append(queue_entry.sounds[0].name)
    else:
        parts.append(translate("QueueModel", "{0} sounds").format(len(queue_entry.sounds)))
    if queue_entry.epochs is not None:
        parts.append(
            count_of(queue_entry.epochs, translate("QueueModel", "1 epoch"), translate("QueueModel", "{0} epochs"))
        )
    if queue_entry.origin_text:
        parts.append(translate("QueueModel", "from {0}").format(queue_entry.origin_text))
    if queue_entry.fixes:
        parts.append(
            count_of(
                len(queue_entry.fixes),
                translate("QueueModel", "1 sound fixed"),
                translate("QueueModel", "{0} sounds fixed"),
            )
        )
    if (patience := queue_entry.changes.get("patience")) is not None:
        parts.append(translate("QueueModel", "patience {0}").format(patience))
    if (seed := queue_entry.changes.get("seed")) is not None:
        parts.append(translate("QueueModel", "seed {0}").format(seed))
    return " · ".join(parts)


def _fixes_text(queue_entry: QueueEntry) -> str:
    """Return what is fixed in which sounds; empty for nothing."""
    parts = [f"{path.name} ({fix.text})" for path, fix in sorted(queue_entry.fixes.items()) if fix.text]
    if not parts:
        return ""
    more = len(parts) - _MOST_SHOWN
    parts = [*parts[:_MOST_SHOWN], *([translate("QueueModel", "{0} more").format(more)] if more > 0 else [])]
    return translate("QueueModel", "Fixed when read: {0}").format(", ".join(parts))


def spoken_text(queue_entry: QueueEntry, is_training: bool) -> str:
    """Return what a screen reader says of an entry."""
    return ", ".join([queue_entry.name, status_text(queue_entry, is_training), facts_text(queue_entry)])


def entry_tip(queue_entry: QueueEntry) -> str:
    """Return what is said of an entry under the pointer."""
    shown = (str(path) for path in queue_entry.sounds[:_MOST_SHOWN])
    return rich_tip(
        queue_entry.name, _settings_text(queue_entry), queue_entry.problem, _fixes_text(queue_entry), *shown
    )


class QueueDelegate(QStyledItemDelegate):
    """Paints an entry in two lines."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of two lines."""
        return row_size(option, 2)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a row."""
        queue_entry = index.data(ITEM_ROLE)
        if not isinstance(queue_entry, QueueEntry):
            return
        colors, is_training = theme.colors(), bool(index.data(MARKED_ROLE))
        running = colors.accent if is_training else colors.fair
        entry_colors = {FINISHED: colors.good, FAILED: colors.bad, RUNNING: running}
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option, colors.accent if is_training else "")
        position = option.rect.adjusted(theme.MARGIN, theme.HALF, -theme.GAP, -theme.HALF)
        state = StyledText(status_text(queue_entry, is_training), entry_colors.get(queue_entry.status, colors.muted))
        facts = StyledText(facts_text(queue_entry), colors.bad if queue_entry.problem else colors.muted)
        write_row(painter, option, position, (StyledText(queue_entry.name, colors.text), state), (facts,), (), 0)
        painter.restore()
