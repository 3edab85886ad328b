"""The rows of the queue, and their texts."""

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from distill.config.family_catalog import family_info
from distill.gui.lists.list_model import ListModel
from distill.gui.widgets.formatting import count_of
from distill.gui.widgets.plain_text import rich_tip
from distill.runs.queue import FAILED, FINISHED, RUNNING, STOPPED, QueueEntry

#: Most sounds that a tooltip names.
_MOST_SHOWN = 5


class QueueModel(ListModel[QueueEntry]):
    """The entries in the order in which they are run.  The one that is training is marked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(lambda entry: entry.id, parent)

    def item_data(self, item: QueueEntry, role: int) -> Any:
        """Return what a row shows."""
        if role == Qt.ItemDataRole.DisplayRole:
            return item.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join([item.name, self.status_text(item), self.facts(item)])
        if role == Qt.ItemDataRole.ToolTipRole:
            shown = (str(path) for path in item.sounds[:_MOST_SHOWN])
            return rich_tip(item.name, self._settings(item), item.problem, self._fixes(item), *shown)
        return None

    def status_text(self, entry: QueueEntry) -> str:
        """Return the state of an entry in a word."""
        if entry.status == RUNNING:
            return self.tr("training") if self.is_marked(entry) else self.tr("interrupted")
        return {
            STOPPED: self.tr("paused"), FINISHED: self.tr("finished"), FAILED: self.tr("failed"),
        }.get(entry.status, self.tr("waiting"))  # fmt: skip

    def facts(self, entry: QueueEntry) -> str:
        """Return why it failed, otherwise its family, sounds, epochs and changed settings."""
        return entry.problem or self._settings(entry)

    def _settings(self, entry: QueueEntry) -> str:
        info = family_info(entry.family)
        parts = [info.plain_name]
        if len(entry.sounds) == 1:
            parts.append(entry.sounds[0].name)
        else:
            parts.append(self.tr("{0} sounds").format(len(entry.sounds)))
        if entry.epochs is not None:
            parts.append(count_of(entry.epochs, self.tr("1 epoch"), self.tr("{0} epochs")))
        if entry.origin_text:
            parts.append(self.tr("from {0}").format(entry.origin_text))
        if entry.fixes:
            parts.append(count_of(len(entry.fixes), self.tr("1 sound fixed"), self.tr("{0} sounds fixed")))
        if (patience := entry.changes.get("patience")) is not None:
            parts.append(self.tr("patience {0}").format(patience))
        if (seed := entry.changes.get("seed")) is not None:
            parts.append(self.tr("seed {0}").format(seed))
        return " · ".join(parts)

    def _fixes(self, entry: QueueEntry) -> str:
        """Return what is fixed in which sounds; empty for nothing."""
        parts = [f"{path.name} ({fix.text})" for path, fix in sorted(entry.fixes.items()) if fix.text]
        if not parts:
            return ""
        more = len(parts) - _MOST_SHOWN
        parts = [*parts[:_MOST_SHOWN], *([self.tr("{0} more").format(more)] if more > 0 else [])]
        return self.tr("Fixed when read: {0}").format(", ".join(parts))
