"""The compared sounds: a table with a row for each sound and a column for each run, and which of them is to be heard.

A click, Return or a letter plays, another letter switches in place, and Space stops.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, native
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.plain_text import plain_tip, readable
from distill.gui.widgets.waveform import draw_waveform
from distill.runs.comparison import Comparison, SameSound

AnyIndex = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

#: Roles of the file of a cell, and of whether it is heard.
COMPARED_FILE_ROLE, HEARD_ROLE = Qt.ItemDataRole.UserRole + 1, Qt.ItemDataRole.UserRole + 2
#: Letters of the runs, and of the original; also the keys.
LETTERS, ORIGINAL = "ABCD", "O"

_ROW_HEIGHT, _LEAST_COLUMN = 38, 90


class SoundsModel(QAbstractTableModel):
    """Column 0 holds the originals of copies; then comes a column for each run."""

    def __init__(self, comparison: Comparison, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._comparison = comparison
        self._compared_rows: tuple[SameSound, ...] = ()
        self._compared_seed: int | None = None
        self._seeded: tuple[SameSound, ...] = ()
        #: The sound that is heard; None for none.
        self.heard_file: Path | None = None

    @property
    def rows(self) -> tuple[SameSound, ...]:
        """All rows, from top to bottom."""
        return self._compared_rows + self._seeded

    @property
    def seeded(self) -> tuple[SameSound, ...]:
        """The rows of new sounds of a seed."""
        return self._seeded

    def show_sounds(self, sounds: Sequence[SameSound]) -> None:
        """Show the previews of an epoch."""
        self.beginResetModel()
        self._compared_rows = tuple(sounds)
        self.endResetModel()

    def show_seeded(self, seed: int, sounds: Sequence[SameSound]) -> None:
        """Show what the models have made of a seed, below the previews."""
        self.beginResetModel()
        self._compared_seed, self._seeded = seed, tuple(sounds)
        self.endResetModel()

    def show_heard(self, file: Path | None) -> None:
        """Mark the sound that is heard; None for none."""
        self.heard_file = file
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(self.rowCount() - 1, self.columnCount() - 1))

    def group(self, row: int) -> tuple[Path, ...]:
        """Return the files of a row that there are, from left to right."""
        return tuple(file for column in range(self.columnCount()) if (file := self.file(row, column)) is not None)

    def file(self, row: int, column: int) -> Path | None:
        """Return the file of a cell, or None."""
        sound = self.rows[row]
        return sound.original if column == 0 else sound.files[column - 1]

    def repaint_file(self, file: Path) -> None:
        """Repaint the cells of a sound whose waveform is ready."""
        for row in range(self.rowCount()):
            for column in range(self.columnCount()):
                if self.file(row, column) == file:
                    index = self.index(row, column)
                    self.dataChanged.emit(index, index)

    # Qt's interface.

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        """Return the number of sounds."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: AnyIndex = _ROOT) -> int:
        """Return the number of runs and one."""
        return 0 if parent.isValid() else 1 + len(self._comparison.runs)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid():
            return None
        row, column = index.row(), index.column()
        file = self.file(row, column)
        if role == COMPARED_FILE_ROLE:
            return file
        if role == HEARD_ROLE:
            return file is not None and file == self.heard_file
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            text = f"{self.headerData(column, Qt.Orientation.Horizontal)}, {self._name(row)}{self._epoch(row, column)}"
            return plain_tip(text) if role == Qt.ItemDataRole.ToolTipRole else text
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the letter and name of a run, or the name of a sound."""
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if orientation is Qt.Orientation.Vertical:
            return self._name(section)
        if section == 0:
            return self.tr("{0}  Original").format(ORIGINAL)
        return f"{LETTERS[section - 1]}  {readable(self._comparison.runs[section - 1].name)}"

    def _name(self, row: int) -> str:
        compared = self.rows[row]
        if row >= len(self._compared_rows):
            return self.tr("Seed {0}, new {1}").format(self._compared_seed, compared.number + 1)
        return readable(Path(compared.name).stem) if compared.name else self.tr("New {0}").format(compared.number + 1)

    def _epoch(self, row: int, column: int) -> str:
        epochs = self.rows[row].epochs
        if column == 0 or not epochs or self.file(row, column) is None:
            return ""
        return self.tr(", epoch {0}").format(epochs[column - 1]) if epochs[column - 1] else self.tr(", before training")


class _CellDelegate(QStyledItemDelegate):
    """Paints the waveform of a cell."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paint a cell."""
        file, is_heard = index.data(COMPARED_FILE_ROLE), bool(index.data(HEARD_ROLE))
        colors, area = theme.colors(), QRectF(option.rect).adjusted(2, 2, -2, -2)
        has_focus = bool(option.state & QStyle.StateFlag.State_HasFocus)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(option.rect, QColor(colors.surface))
        if file is not None:
            painter.setPen(QPen(QColor(colors.second), 1.5) if has_focus else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.accent if is_heard else colors.hover))
            painter.drawRoundedRect(area, 4, 4)
            peaks = self._thumbnails.peaks(file)
            if peaks is None:
                self._thumbnails.request(file)
            else:
                color = QColor(colors.accent_text if is_heard else colors.muted)
                draw_waveform(painter, area.adjusted(6, 4, -6, -4), peaks, color)
        painter.restore()


class SoundsView(QTableView):
    """Emits what is to be heard; it plays nothing."""

    #: These files are compared; the one with this number is to be heard.
    hear_requested = Signal(object, int)  # tuple of Path, number
    stop_requested = Signal()

    def __init__(self, model: SoundsModel, thumbnails: Thumbnails) -> None:
        super().__init__()
        self.setModel(model)
        self._table = model
        self._compared_row = 0
        self.setObjectName("comparedSounds")
        self.setAccessibleName(self.tr("Compared sounds"))
        self.setToolTip(self.tr("Click a sound to hear it. The letters switch between the runs at the same position."))
        self.setItemDelegate(_CellDelegate(thumbnails, self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setShowGrid(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setCornerButtonEnabled(False)
        self.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setMinimumSectionSize(_LEAST_COLUMN)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setHighlightSections(False)
            header.setSectionsClickable(False)
        self.clicked.connect(self._on_index)
        self.activated.connect(self._on_index)
        self.selectionModel().currentChanged.connect(self._on_current_changed)

    def show_sounds(self, sounds: Sequence[SameSound]) -> None:
        """Show the previews of an epoch."""
        self._table.show_sounds(sounds)
        self._compared_row = min(self._compared_row, max(0, self._table.rowCount() - 1))

    def hear(self, letter: str) -> None:
        """Hear a run, or the original, of the current row: at the same position, if another one of the row is heard."""
        self._hear_cell(self._compared_row, 0 if letter == ORIGINAL else 1 + LETTERS.index(letter))

    def play_or_stop(self) -> None:
        """Stop what is heard, or hear the current cell."""
        if self._table.heard_file is not None:
            self.stop_requested.emit()
        else:
            column = self.currentIndex().column()
            is_empty = column < 0 or not self._table.rowCount() or self._table.file(self._compared_row, column) is None
            self._hear_cell(self._compared_row, 1 if is_empty else column)

    def key_group(self) -> KeyGroup:
        """Say which keys work here."""
        keys = native(*LETTERS, ORIGINAL)
        return KeyGroup(self.tr("Compared sounds"), (KeyHelp(keys, self.tr("Hear a run, or the original")),))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave letters and Space to the window."""
        if event.key() == Qt.Key.Key_Space or (event.text() and event.text().upper() in f"{LETTERS}{ORIGINAL}"):
            event.ignore()
        else:
            super().keyPressEvent(event)

    def _on_index(self, index: QModelIndex) -> None:
        self._hear_cell(index.row(), index.column())

    def _on_current_changed(self, index: QModelIndex) -> None:
        if index.isValid():
            self._compared_row = index.row()

    def _hear_cell(self, row: int, column: int) -> None:
        if not 0 <= row < self._table.rowCount() or column >= self._table.columnCount():
            return
        file = self._table.file(row, column)
        if file is None:
            return
        self._compared_row = row
        self.setCurrentIndex(self._table.index(row, column))
        group = self._table.group(row)
        self.hear_requested.emit(group, group.index(file))
