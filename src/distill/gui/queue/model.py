"""The rows of the queue."""

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from distill.gui.lists.list_model import ListModel
from distill.gui.queue.list_row_texts import entry_tip, spoken_text
from distill.runs.queue import QueueEntry


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
