"""The table of sounds: one row for each file, with the order and the filter that the user has chosen."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt, Signal

from distill.audio.scan_result import SkippedSound, SoundEntry
from distill.gui.sounds.cell_texts_and_colors import cell_color, cell_text, cell_tip, status_text
from distill.gui.sounds.columns import Column, alignment, heading_tips, headings, sort_key
from distill.gui.sounds.sound_row import CheckedSound, SoundRow, SoundStatus
from distill.names import short_names

if TYPE_CHECKING:
    from distill.audio.cache.waveform_overview import Overview

__all__ = ["ROW_ROLE", "FilteredSounds", "SoundModel", "SoundRow", "SoundStatus"]

AnyIndex = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

#: Role under which every cell of a row gives its `SoundRow`.
ROW_ROLE = Qt.ItemDataRole.UserRole + 2
#: Role under which a cell gives what is painted: text, colour and alignment in one call.
CELL_ROLE = Qt.ItemDataRole.UserRole + 3
#: Up to so many changed rows are emitted one by one.
_FEW_ROWS = 4


class SoundModel(QAbstractTableModel):
    """Rows of sounds."""

    #: A row's box was ticked or cleared; it stays as it is until `set_excluded` says otherwise.
    exclusion_requested = Signal(object, bool)  # list of Path, whether to exclude them

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[SoundRow] = []
        self._row_numbers: dict[Path, int] = {}
        self._short_names: dict[str, str] = {}
        self._row_order: list[int] = []  # numbers of the rows from top to bottom, and where each row is
        self._row_positions: list[int] = []
        self._sorting: tuple[int, Qt.SortOrder] = (Column.NAME, Qt.SortOrder.AscendingOrder)
        self._headings, self._heading_tips = headings(), heading_tips()

    @property
    def rows(self) -> tuple[SoundRow, ...]:
        """All rows, as they came: in whatever order they are shown, a training takes them in this one."""
        return tuple(self._rows)

    def shown_row(self, position: int) -> SoundRow:
        """Return the row at a position, counted from the top."""
        return self._rows[self._row_order[position]]

    def set_sounds(self, entries: Iterable[SoundEntry], skipped: Iterable[SkippedSound]) -> None:
        """Show these sounds and no others; what is known about an unchanged file is kept."""
        known_rows = {row.entry: row for row in self._rows if row.entry is not None}
        self.beginResetModel()
        self._rows = [known_rows.get(entry) or SoundRow(entry.path, entry) for entry in entries]
        self._rows += [SoundRow(s.path, None, SoundStatus.SKIPPED, s.reason) for s in skipped]
        self._row_numbers = {row.path: n for n, row in enumerate(self._rows)}
        self._short_names = short_names([row.name for row in self._rows])
        self._set_row_order(self._sorted_rows())
        self.endResetModel()

    def set_checked(self, results: Iterable[CheckedSound]) -> None:
        """Note what decoding has shown."""
        checks = {result.path: result for result in results}

        def checked(row: SoundRow) -> SoundRow:
            result = checks[row.path]
            if result.reason is None:
                return replace(
                    row,
                    status=SoundStatus.READY,
                    reason="",
                    content_hash=result.content_hash,
                    is_stereo=result.is_stereo,
                    notes=result.notes,
                )
            return replace(
                row,
                status=SoundStatus.SKIPPED,
                reason=result.reason,
                content_hash="",
                notes=(),
                is_held_out=None,
                is_divided=False,
            )

        is_any_skipped = any(result.reason is not None for result in checks.values())  # all of its row is pale then
        self._change_rows(checks, checked, *(() if is_any_skipped else (Column.STATUS, Column.STATUS)))

    def set_overviews(self, overviews: "Mapping[Path, Overview]") -> None:
        """Note how loud sounds are; their waveforms are drawn anew."""

        def measured(row: SoundRow) -> SoundRow:
            overview = overviews[row.path]
            return replace(row, peak_dbfs=overview.peak_dbfs, rms_dbfs=overview.rms_dbfs)

        self._change_rows(overviews, measured, Column.LEVEL, Column.WAVEFORM)

    def set_excluded(self, excluded: Container[Path]) -> None:
        """Note which sounds the user does not want."""
        changing = [row.path for row in self._rows if (row.path in excluded) is not row.is_excluded]
        self._change_rows(changing, lambda row: replace(row, is_excluded=not row.is_excluded))

    def set_held_out(self, held_out: Container[Path] | None, divided: Container[Path] = ()) -> None:
        """Note which sounds the next training will hold out; None while that is not certain.

        Of those in ``divided`` only the end is held out.
        """

        def split(row: SoundRow) -> tuple[bool | None, bool]:
            if held_out is None or not row.is_usable:
                return None, False
            return row.path in held_out, row.path in divided

        def noted(row: SoundRow) -> SoundRow:
            is_held_out, is_divided = split(row)
            return replace(row, is_held_out=is_held_out, is_divided=is_divided)

        changing = [row.path for row in self._rows if split(row) != (row.is_held_out, row.is_divided)]
        self._change_rows(changing, noted, Column.STATUS, Column.STATUS)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Put the rows in order; equal ones stay as they came.

        A proxy model of Qt would come back to Python for each of the thousands of comparisons, and wait for the
        interpreter each time while sounds are being decoded: a third of a second for 500 sounds.
        """
        self._sorting = (column, order)
        sorted_rows = self._sorted_rows()
        if sorted_rows == self._row_order:
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        numbers = [self._row_order[index.row()] for index in before]
        self._set_row_order(sorted_rows)
        rows = zip(numbers, before, strict=True)
        after = [self.index(self._row_positions[number], index.column()) for number, index in rows]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _sorted_rows(self) -> list[int]:
        column, order = self._sorting
        keys = [sort_key(row, column) for row in self._rows]
        return sorted(range(len(keys)), key=keys.__getitem__, reverse=order is Qt.SortOrder.DescendingOrder)

    def _set_row_order(self, order: list[int]) -> None:
        self._row_order, self._row_positions = order, [0] * len(order)
        for position, row_number in enumerate(order):
            self._row_positions[row_number] = position

    def _change_rows(
        self,
        paths: Iterable[Path],
        change: Callable[[SoundRow], SoundRow],
        first: Column = Column.NAME,
        last: Column = Column.WAVEFORM,
    ) -> None:
        """Change the rows of some sounds, as far as these columns show it."""
        positions = []
        for path in paths:
            row_number = self._row_numbers.get(path)
            if row_number is not None and (changed_row := change(self._rows[row_number])) != self._rows[row_number]:
                self._rows[row_number] = changed_row
                positions.append(self._row_positions[row_number])
        # One signal for a batch: a signal a row makes the view work again and again.  But one for all rows between two
        # that are far apart would make it look at all of these.
        batches = [positions] if len(positions) > _FEW_ROWS else [[position] for position in positions]
        for batch in batches:
            if batch:
                self.dataChanged.emit(self.index(min(batch), first), self.index(max(batch), last))
        if positions and first <= self._sorting[0] <= last:
            self.sort(*self._sorting)

    # Qt's interface.

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        """Number of sounds."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: AnyIndex = _ROOT) -> int:
        """Number of columns."""
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a column's heading."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._headings[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return alignment(section)
        return self._heading_tips[section] if role == Qt.ItemDataRole.ToolTipRole else None

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        """Say that the name has a box, which is dead where the file cannot be used anyway."""
        flags = super().flags(index)
        is_name = index.isValid() and index.column() == Column.NAME
        if is_name and self.shown_row(index.row()).status is not SoundStatus.SKIPPED:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def setData(self, index: AnyIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Ask for a sound to be excluded, or to be trained on again; the box follows the answer."""
        if role != Qt.ItemDataRole.CheckStateRole or not self.flags(index) & Qt.ItemFlag.ItemIsUserCheckable:
            return False
        exclude = Qt.CheckState(value) is Qt.CheckState.Unchecked
        self.exclusion_requested.emit([self.shown_row(index.row()).path], exclude)
        return True

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's content for a role."""
        if not index.isValid():
            return None
        row, column = self.shown_row(index.row()), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(row, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return alignment(column)
        if role == Qt.ItemDataRole.ForegroundRole:
            return cell_color(row, column)
        if role == ROW_ROLE:
            return row
        if role == CELL_ROLE:
            return self._painted_text(row, column), cell_color(row, column), alignment(column)
        return self._data_of_other_role(row, column, role)

    def _data_of_other_role(self, row: SoundRow, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.ToolTipRole:
            return cell_tip(row, column)
        if role == Qt.ItemDataRole.CheckStateRole and column == Column.NAME:
            return Qt.CheckState.Checked if row.is_usable else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.AccessibleTextRole and column == Column.NAME:
            return f"{row.name}, {status_text(row)}"
        return None

    def _painted_text(self, row: SoundRow, column: int) -> str:
        """Return the text that is painted: short names, and a status only where it is an exception."""
        if column == Column.NAME:
            return self._short_names.get(row.name, row.name)
        if column == Column.STATUS and row.is_usable and not row.is_held_out:
            return ""
        return cell_text(row, column)


class FilteredSounds(QSortFilterProxyModel):
    """The rows that contain every word of the filter, in the table's order."""

    def __init__(self, table: SoundModel) -> None:
        super().__init__()
        self._words: tuple[str, ...] = ()
        self._table = table
        self.setSourceModel(table)

    def set_filter(self, text: str) -> None:
        """Show the sounds whose name, or the name of whose folder, holds each of these words."""
        words = tuple(text.casefold().split())
        if words != self._words:
            self._words = words
            self.setFilterFixedString(text)  # makes every version of Qt filter again, without sorting again

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Have the table put its rows in order."""
        self._table.sort(column, order)

    def filterAcceptsRow(self, source_row: int, _source_parent: AnyIndex) -> bool:
        """Say whether a row holds every word."""
        if not self._words:
            return True
        row = self._table.shown_row(source_row)
        text = f"{row.path.parent.name} {row.name}".casefold()
        return all(word in text for word in self._words)
