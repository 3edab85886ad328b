"""The models of the preview grid: one row an epoch, one column a sound; the strip of originals; only starred epochs."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)

from distill.gui.previews.grid_texts import column_heading, epoch_heading, fitted_heading, preview_name, preview_tip
from distill.gui.previews.reconstruction_sources import PreviewSources
from distill.gui.widgets.drag_and_drop import FileDragModel
from distill.gui.widgets.plain_text import plain_tip
from distill.runs.preview_files import PreviewKind, PreviewSound, Slot

AnyIndex = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

#: Role under which a cell gives its `PreviewSound`; None where an epoch has none.
SOUND_ROLE = Qt.ItemDataRole.UserRole + 1
#: Roles under which a cell says whether it is starred, and whether it is heard now.
STARRED_ROLE, PLAYING_ROLE = Qt.ItemDataRole.UserRole + 2, Qt.ItemDataRole.UserRole + 3


class PreviewModel(FileDragModel, QAbstractTableModel):
    """Epochs by sounds."""

    #: A column that had no original has one.
    original_found = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._epochs: list[int] = []
        self._slots: list[Slot] = []
        self._sounds: dict[int, dict[Slot, PreviewSound]] = {}
        self._originals: dict[Slot, PreviewSound] = {}
        self._starred: frozenset[Path] = frozenset()
        self._playing: Path | None = None
        self._epoch_losses: dict[int, float] = {}
        #: Says what a column's reconstructions were made from.
        self.sources = PreviewSources(self)
        self.sources.changed.connect(self._on_sources_changed)

    @property
    def sound_count(self) -> int:
        """Number of sounds that the model generated, without the originals."""
        return sum(len(sounds) for sounds in self._sounds.values())

    @property
    def columns(self) -> tuple[Slot, ...]:
        """The kinds of sounds in the columns."""
        return tuple(self._slots)

    @property
    def starred(self) -> frozenset[Path]:
        """The sounds that are starred."""
        return self._starred

    @property
    def playing(self) -> Path | None:
        """The sound that is heard."""
        return self._playing

    def original_of(self, slot: Slot) -> PreviewSound | None:
        """Return the sound that a column's reconstructions were made from; the same at every epoch."""
        return self._originals.get(slot)

    def index_of(self, sound: PreviewSound) -> QModelIndex:
        """Return the cell of a sound, or an invalid index."""
        if self._sounds.get(sound.epoch, {}).get(sound.slot) != sound:
            return QModelIndex()
        return self.index(bisect_left(self._epochs, sound.epoch), bisect_left(self._slots, sound.slot))

    def set_previews(self, previews: Iterable[PreviewSound], expected: Iterable[Slot] = ()) -> None:
        """Show these previews and no others; ``expected`` columns are there before their first sound is."""
        self.beginResetModel()
        self._sounds, self._originals = {}, {}
        for sound in previews:
            if sound.kind is PreviewKind.ORIGINAL:
                self._note_original(sound)
            else:
                self._sounds.setdefault(sound.epoch, {})[sound.slot] = sound
        self._epochs = sorted(self._sounds)
        self._slots = sorted({*expected, *(slot for sounds in self._sounds.values() for slot in sounds)})
        self.endResetModel()

    def add(self, sound: PreviewSound) -> None:
        """Add a preview, and with a reconstruction its original; one that is there already stays as it is."""
        original = sound if sound.kind is PreviewKind.ORIGINAL else sound.original()
        if original is not None:
            is_first = original.slot not in self._originals
            self._note_original(original)
            if is_first:
                self.original_found.emit()
        if sound.kind is PreviewKind.ORIGINAL or self.index_of(sound).isValid():
            return
        if sound.slot not in self._slots:
            column = bisect_left(self._slots, sound.slot)
            self.beginInsertColumns(QModelIndex(), column, column)
            self._slots.insert(column, sound.slot)
            self.endInsertColumns()
        row = bisect_left(self._epochs, sound.epoch)
        if sound.epoch not in self._sounds:
            self.beginInsertRows(QModelIndex(), row, row)
            self._epochs.insert(row, sound.epoch)
            self._sounds[sound.epoch] = {sound.slot: sound}
            self.endInsertRows()
            return
        self._sounds[sound.epoch][sound.slot] = sound
        cell = self.index_of(sound)
        self.dataChanged.emit(cell, cell)

    def _note_original(self, original: PreviewSound) -> None:
        first = self._originals.get(original.slot)
        if first is None or original.epoch < first.epoch:  # all are alike; the first one's picture is drawn once
            self._originals[original.slot] = original

    def set_starred(self, starred: frozenset[Path]) -> None:
        """Mark the sounds that are starred."""
        changed, self._starred = self._starred ^ starred, starred
        self._report_changed(changed)

    def set_playing(self, path: Path | None) -> None:
        """Mark the sound that is heard."""
        changed, self._playing = {self._playing, path} - {None}, path
        self._report_changed(changed)

    def _on_sources_changed(self) -> None:
        if self._slots:
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self._slots) - 1)

    def _report_changed(self, paths: Iterable[Path | None]) -> None:
        for path in paths:
            sound = PreviewSound.from_path(path) if path is not None else None
            cell = self.index_of(sound) if sound is not None else QModelIndex()
            if cell.isValid():
                self.dataChanged.emit(cell, cell)

    def show_peaks(self, path: Path) -> None:
        """Repaint the cell of a sound whose waveform is ready."""
        self._report_changed([path])

    def set_losses(self, losses: Mapping[int, float]) -> None:
        """Note the loss on held-out sounds after epochs, which count from 0: the rows say how far it has fallen."""
        if losses != self._epoch_losses:
            self._epoch_losses = dict(losses)
            if self._epochs:
                self.headerDataChanged.emit(Qt.Orientation.Vertical, 0, len(self._epochs) - 1)

    def change_of(self, row: int, before_row: int | None = None) -> float | None:
        """Return the share by which the loss differs from that of a row before, or None where it is not known.

        Without ``before_row``, it is the row just before.
        """
        before_row = row - 1 if before_row is None else before_row
        if before_row < 0:
            return None
        loss_before, loss = (self._epoch_losses.get(self._epochs[n]) for n in (before_row, row))
        return None if loss_before is None or loss is None or loss_before <= 0 else loss / loss_before - 1

    # Qt's interface.

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        """Number of epochs."""
        return 0 if parent.isValid() else len(self._epochs)

    def columnCount(self, parent: AnyIndex = _ROOT) -> int:
        """Number of sounds that are made at every epoch."""
        return 0 if parent.isValid() else len(self._slots)

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        """Return the flags of a cell: sounds can be selected and dragged, empty cells cannot."""
        if self.sound_at(index) is None:
            return Qt.ItemFlag.NoItemFlags
        flag = Qt.ItemFlag
        return flag.ItemIsEnabled | flag.ItemIsSelectable | flag.ItemIsDragEnabled | flag.ItemNeverHasChildren

    def epoch_heading(self, row: int, before_row: int, role: int) -> Any:
        """Return the heading of a row below another one, which is -1 for none."""
        return epoch_heading(self._epochs[row], self.change_of(row, before_row), role)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the heading of an epoch or of a sound."""
        if orientation is Qt.Orientation.Vertical:
            return self.epoch_heading(section, section - 1, role) if 0 <= section < len(self._epochs) else None
        return column_heading(self.sources, self._slots[section], role) if 0 <= section < len(self._slots) else None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's content for a role."""
        sound = self.sound_at(index)
        if sound is None:
            return None
        if role == SOUND_ROLE:
            return sound
        if role == STARRED_ROLE:
            return sound.path in self._starred
        if role == PLAYING_ROLE:
            return sound.path == self._playing
        if role == Qt.ItemDataRole.DisplayRole:
            return preview_name(sound)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._spoken(sound)
        return preview_tip(self.sources, sound) if role == Qt.ItemDataRole.ToolTipRole else None

    def sound_at(self, index: AnyIndex) -> PreviewSound | None:
        """Return the sound of a cell."""
        if not index.isValid():
            return None
        return self._sounds[self._epochs[index.row()]].get(self._slots[index.column()])

    def file_at(self, index: QModelIndex) -> Path | None:
        """Return the file of a cell's sound."""
        sound = self.sound_at(index)
        return None if sound is None else sound.path

    def _spoken(self, sound: PreviewSound) -> str:
        parts = [preview_name(sound)]
        if sound.path in self._starred:
            parts.append(self.tr("starred"))
        if sound.path == self._playing:
            parts.append(self.tr("playing"))
        return ", ".join(parts)


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
