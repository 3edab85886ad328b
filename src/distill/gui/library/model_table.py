"""The rows of the list of models: renaming, stars, and which are new."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from distill.gui.library.model_facts_text import model_tip, spoken_text
from distill.gui.lists.list_model import ListModel
from distill.library.model_entry import ModelEntry

Index = QModelIndex | QPersistentModelIndex


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
