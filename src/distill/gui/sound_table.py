"""The table of sounds behind the browser: one row a file, usable or left out with its reason."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt
from PySide6.QtGui import QColor

from distill.audio.corpus import SkippedSound, SoundEntry
from distill.gui import theme

AnyIndex = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

#: Role under which a cell gives what it is sorted by.
SORT_ROLE = Qt.ItemDataRole.UserRole + 1
#: Role under which every cell of a row gives its `SoundRow`.
ROW_ROLE = Qt.ItemDataRole.UserRole + 2


class SoundStatus(IntEnum):
    """What is known about a sound."""

    LISTED = 0
    READY = 1
    LEFT_OUT = 2


@dataclass(frozen=True)
class SoundRow:
    """A row; ``entry`` is None where not even the header could be read, ``reason`` says why it is left out."""

    path: Path
    entry: SoundEntry | None
    status: SoundStatus = SoundStatus.LISTED
    reason: str = ""


class Column(IntEnum):
    """Columns, from left to right."""

    NAME = 0
    DURATION = 1
    RATE = 2
    CHANNELS = 3
    STATUS = 4


class SoundTable(QAbstractTableModel):
    """Rows of sounds."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[SoundRow] = []
        self._number: dict[Path, int] = {}
        self._headings = (
            self.tr("Name"), self.tr("Length"), self.tr("kHz"), self.tr("Ch."), self.tr("Status"),
        )  # fmt: skip

    @property
    def rows(self) -> tuple[SoundRow, ...]:
        """All rows, as they came."""
        return tuple(self._rows)

    def set_sounds(self, entries: Iterable[SoundEntry], skipped: Iterable[SkippedSound]) -> None:
        """Show these sounds and no others."""
        self.beginResetModel()
        self._rows = [SoundRow(entry.path, entry) for entry in entries]
        self._rows += [SoundRow(s.path, None, SoundStatus.LEFT_OUT, s.reason) for s in skipped]
        self._number = {row.path: n for n, row in enumerate(self._rows)}
        self.endResetModel()

    def set_checked(self, results: Iterable[tuple[Path, str | None]]) -> None:
        """Note what decoding has shown: a path and None, or the reason why it is left out."""
        numbers = []
        for path, reason in results:
            number = self._number.get(path)
            if number is not None:
                status = SoundStatus.READY if reason is None else SoundStatus.LEFT_OUT
                self._rows[number] = replace(self._rows[number], status=status, reason=reason or "")
                numbers.append(number)
        if numbers:  # one signal for the whole batch: a signal a row makes the view sort again and again
            self.dataChanged.emit(self.index(min(numbers), 0), self.index(max(numbers), len(Column) - 1))

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
            return _alignment(section)
        if role == Qt.ItemDataRole.ToolTipRole:
            return {Column.RATE: self.tr("Sample rate in kHz"), Column.CHANNELS: self.tr("Channels")}.get(
                Column(section)
            )
        return None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's content for a role."""
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{row.path}\n{row.reason}" if row.reason else str(row.path)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.ForegroundRole:
            return _color(row, column)
        if role == SORT_ROLE:
            return _sort_key(row, column)
        return row if role == ROW_ROLE else None

    def _text(self, row: SoundRow, column: int) -> str:
        entry = row.entry
        if column == Column.NAME:
            return entry.name if entry else row.path.name
        if column == Column.STATUS:
            if row.status is SoundStatus.LEFT_OUT:
                return self.tr("Left out: {0}").format(row.reason)
            return self.tr("Ready") if row.status is SoundStatus.READY else self.tr("Listed")
        if entry is None:
            return ""
        if column == Column.DURATION:
            return format_seconds(entry.duration_s)
        return f"{entry.sample_rate / 1000:g}" if column == Column.RATE else str(entry.channels)


def _alignment(column: int) -> int:
    left = column in (Column.NAME, Column.STATUS)
    side = Qt.AlignmentFlag.AlignLeft if left else Qt.AlignmentFlag.AlignRight
    return int(side | Qt.AlignmentFlag.AlignVCenter)


def _color(row: SoundRow, column: int) -> QColor | None:
    current = theme.colors()
    if row.status is SoundStatus.LEFT_OUT:
        return QColor(current.muted)
    if column == Column.STATUS:
        return QColor(current.good if row.status is SoundStatus.READY else current.muted)
    return None if column == Column.NAME else QColor(current.muted)


def _sort_key(row: SoundRow, column: int) -> Any:
    entry = row.entry
    if column == Column.NAME:
        return (entry.name if entry else row.path.name).casefold()
    if column == Column.STATUS:
        return f"{int(row.status)} {row.reason}"
    if entry is None:
        return -1.0
    return float((entry.duration_s, entry.sample_rate, entry.channels)[column - Column.DURATION])


def format_seconds(seconds: float) -> str:
    """Return a duration as a person reads it: ``0.35 s``, ``12.0 s``, ``3:07``, ``1:02:05``."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class SortedSounds(QSortFilterProxyModel):
    """The table in the order that the user has chosen."""

    def __init__(self, table: SoundTable) -> None:
        super().__init__()
        self.setSourceModel(table)
        self.setSortRole(SORT_ROLE)
