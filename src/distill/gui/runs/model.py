"""The rows of the list of runs."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QWidget

from distill.gui.lists.list_model import ListModel
from distill.gui.runs.list_row_texts import run_tip, spoken_text
from distill.runs.summary import RunSummary

Index = QModelIndex | QPersistentModelIndex


class RunModel(ListModel[RunSummary]):
    """Runs, the newest first.  The run that the window shows is marked."""

    #: The user has typed another name.
    renamed = Signal(object, str)  # folder, name

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(lambda run: run.folder, parent)

    def show_shown(self, folder: Path | None) -> None:
        """Mark the run that the window shows."""
        self.set_marked([] if folder is None else [folder])

    def item_data(self, item: RunSummary, role: int) -> Any:
        """Return what a row shows."""
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return item.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken_text(item, self.is_marked(item))
        if role == Qt.ItemDataRole.ToolTipRole:
            return run_tip(item)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return the flags of a row: a run that is training or unreadable cannot be renamed."""
        flags = super().flags(index)
        run = self.item(index.row()) if index.isValid() else None
        if run is not None and run.status not in ("running", "unreadable"):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Request another name; the row shows it once it is stored."""
        name = str(value).strip()
        if role != Qt.ItemDataRole.EditRole or not name or name == self.item(index.row()).name:
            return False
        self.renamed.emit(self.item(index.row()).folder, name)
        return True
