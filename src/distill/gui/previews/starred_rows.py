"""Shows only the epochs with a starred preview."""

from typing import Any

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt

from distill.gui.previews.model import STARRED_ROLE, PreviewModel

AnyIndex = QModelIndex | QPersistentModelIndex


class StarredRows(QSortFilterProxyModel):
    """Shows all epochs, or only those with a starred sound.

    A row that loses its last star stays until the filter is set again, so that nothing moves under the cursor.
    """

    def __init__(self, grid: PreviewModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._grid = grid
        self._is_on = False
        self.setDynamicSortFilter(False)
        self.setSourceModel(grid)

    @property
    def is_on(self) -> bool:
        """Whether only epochs with a star are shown."""
        return self._is_on

    def set_on(self, is_on: bool) -> None:
        """Show only the epochs with a star, or all."""
        self._is_on = is_on
        self.invalidate()

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the heading of a sound, or of an epoch: its loss is compared with that of the row shown above."""
        if orientation is not Qt.Orientation.Vertical or not 0 <= section < self.rowCount():
            return super().headerData(section, orientation, role)
        row, above = (self.mapToSource(self.index(n, 0)).row() for n in (section, section - 1))
        return self._grid.epoch_heading(row, above, role)

    def filterAcceptsRow(self, row: int, _parent: AnyIndex) -> bool:
        """Return whether an epoch is shown."""
        return not self._is_on or any(
            self._grid.index(row, column).data(STARRED_ROLE) for column in range(self._grid.columnCount())
        )
