"""The originals behind the strip on top of the grid: one row, and the grid's columns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from distill.gui.previews.grid_texts import column_heading, fitted_heading
from distill.gui.previews.model import (
    PLAYING_ROLE,
    SOUND_ROLE,
    STARRED_ROLE,
    PreviewModel,
)
from distill.gui.widgets.drag_and_drop import FileDragModel
from distill.gui.widgets.plain_text import plain_tip
from distill.runs.preview_files import PreviewSound

AnyIndex = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class OriginalsModel(FileDragModel, QAbstractTableModel):
    """What the reconstructions of each column were made from; a column of new sounds has no original.

    It is a view on the grid's columns and keeps nothing itself.
    """

    def __init__(self, grid: PreviewModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._grid = grid
        self._has_narrow_headings = False
        self._heading_width = 0
        self._shorten_name: Callable[[str], str] = str
        grid.modelAboutToBeReset.connect(self.beginResetModel)
        grid.modelReset.connect(self.endResetModel)
        grid.columnsAboutToBeInserted.connect(self._on_columns_about_to_be_inserted)
        grid.columnsInserted.connect(self.endInsertColumns)
        grid.headerDataChanged.connect(self.headerDataChanged)
        grid.original_found.connect(self.refresh)

    def _on_columns_about_to_be_inserted(self, _parent: QModelIndex, first: int, last: int) -> None:
        self.beginInsertColumns(QModelIndex(), first, last)

    def fit_headings(self, is_narrow: bool, room: int, shorten: Callable[[str], str]) -> None:
        """Break a heading of one line before its number if ``is_narrow``, and shorten names to the room."""
        if (is_narrow, room) == (self._has_narrow_headings, self._heading_width):
            return
        self._has_narrow_headings, self._heading_width, self._shorten_name = is_narrow, room, shorten
        if self.columnCount():
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, self.columnCount() - 1)

    def refresh(self) -> None:
        """Repaint all cells: the playing sound or a waveform has changed."""
        if self.columnCount():
            self.dataChanged.emit(self.index(0, 0), self.index(0, self.columnCount() - 1))

    def sound_at(self, index: AnyIndex) -> PreviewSound | None:
        """Return the original of a column."""
        return self._grid.original_of(self._grid.columns[index.column()]) if index.isValid() else None

    # Qt's interface.

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        """Return the one row."""
        return 0 if parent.isValid() else 1

    def columnCount(self, parent: AnyIndex = _ROOT) -> int:
        """Number of columns of the grid."""
        return 0 if parent.isValid() else self._grid.columnCount()

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        """Return the flags of a cell: originals can be selected and dragged."""
        if self.sound_at(index) is None:
            return Qt.ItemFlag.NoItemFlags
        flag = Qt.ItemFlag
        return flag.ItemIsEnabled | flag.ItemIsSelectable | flag.ItemIsDragEnabled | flag.ItemNeverHasChildren

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the heading of a column, or what the row is."""
        if orientation is Qt.Orientation.Horizontal:
            columns = self._grid.columns
            heading = (
                column_heading(self._grid.sources, columns[section], role) if 0 <= section < len(columns) else None
            )
            if role != Qt.ItemDataRole.DisplayRole or heading is None:
                return heading
            return fitted_heading(str(heading), self._has_narrow_headings, self._shorten_name)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self.tr("Original")
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.tr("Your own sounds, for comparison with the copies below.")
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's content for a role."""
        sound = self.sound_at(index)
        if sound is None:
            return None
        if role == SOUND_ROLE:
            return sound
        if role == STARRED_ROLE:
            return False
        if role == PLAYING_ROLE:
            return self._is_heard(sound.path)
        if role == Qt.ItemDataRole.DisplayRole:
            return self.tr("Original of sound {0}").format(sound.number + 1)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            text = self.tr("Original of sound {0}").format(sound.number + 1)
            return self.tr("{0}, playing").format(text) if self._is_heard(sound.path) else text
        if role == Qt.ItemDataRole.ToolTipRole:
            name = self._grid.sources.name_of(sound) or self.tr("Sound {0}").format(sound.number + 1)
            is_trained = self._grid.sources.is_trained(sound.slot)
            text = self.tr("Original. The model is trained on it.")
            if not is_trained:
                text = self.tr("Original. It is held out of training.")
            return plain_tip(name, text, sound.path.name)
        return None

    def _is_heard(self, path: Path) -> bool:
        """Whether this original is playing, whichever epoch's file it is played from."""
        heard = PreviewSound.from_path(self._grid.playing) if self._grid.playing is not None else None
        mine = PreviewSound.from_path(path)
        return heard is not None and mine is not None and (heard.slot, heard.kind) == (mine.slot, mine.kind)

    def file_at(self, index: QModelIndex) -> Path | None:
        """Return the file of a column's original."""
        sound = self.sound_at(index)
        return None if sound is None else sound.path
