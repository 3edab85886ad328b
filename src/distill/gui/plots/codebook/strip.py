"""The strip of codes: a cell for each entry of each level, darker the more it is used."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QRect, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from distill.generation.codebooks import Code
from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, native
from distill.gui.widgets import theme

AnyIndex = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

#: Role under which a cell gives its `Code`, and the one under which it gives how dark it is, from 0 to 1.
CODE_ROLE, SHARE_ROLE = Qt.ItemDataRole.UserRole + 1, Qt.ItemDataRole.UserRole + 2

#: Cells in a row of the strip; a level has as many rows as it needs.
CELLS = 64

#: Heights in device-independent pixels: of a row, the least of a level, and of the gap between two levels.
ROW, LEVEL, BETWEEN = 8, 15, 5

#: Most of the strip that is shown without scrolling.
TALLEST = 110


class CodeTable(QAbstractTableModel):
    """The codes: rows of `CELLS`, one empty row between two levels; the first column says which level it is."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._counts: NDArray[np.int64] = np.zeros((0, 1), dtype=np.int64)

    def set_counts(self, counts: NDArray[np.int64]) -> None:
        """Show how often each entry is used, ``[levels, entries]``."""
        self.beginResetModel()
        self._counts = counts
        self.endResetModel()

    @property
    def levels(self) -> int:
        """Number of codebooks."""
        return len(self._counts)

    @property
    def rows_of_level(self) -> int:
        """Rows that a level takes up."""
        entries: int = self._counts.shape[1]
        return math.ceil(entries / CELLS)

    def is_gap(self, row: int) -> bool:
        """Return whether a row is the gap between two levels."""
        return row % (self.rows_of_level + 1) == self.rows_of_level

    def code_at(self, index: AnyIndex) -> Code | None:
        """Return the code of a cell; None for one that has none."""
        if not index.isValid() or index.column() == 0 or self.is_gap(index.row()):
            return None
        level, row = divmod(index.row(), self.rows_of_level + 1)
        entry = row * CELLS + index.column() - 1
        return Code(level, entry) if entry < self._counts.shape[1] else None

    def index_of(self, code: Code) -> QModelIndex:
        """Return the cell of a code."""
        row, column = divmod(code.entry, CELLS)
        return self.index(code.level * (self.rows_of_level + 1) + row, column + 1)

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        """Rows of all levels, and the gaps between them."""
        return 0 if parent.isValid() else max(0, self.levels * (self.rows_of_level + 1) - 1)

    def columnCount(self, parent: AnyIndex = _ROOT) -> int:
        """The level's number, and the cells."""
        return 0 if parent.isValid() else CELLS + 1

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        """Only a code can be chosen."""
        usable = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        return usable if self.code_at(index) is not None else Qt.ItemFlag.NoItemFlags

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's content for a role."""
        code = self.code_at(index)
        if code is None:
            is_name = index.isValid() and index.column() == 0 and index.row() % (self.rows_of_level + 1) == 0
            is_text = role == Qt.ItemDataRole.DisplayRole
            return str(index.row() // (self.rows_of_level + 1)) if is_name and is_text else None
        counts = self._counts[code.level]
        count = int(counts[code.entry])
        if role == CODE_ROLE:
            return code
        if role == SHARE_ROLE:  # some codes are used a hundred times as often as others
            return math.log1p(count) / math.log1p(max(1, int(counts.max())))
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            used = self.tr("never used") if count == 0 else self.tr("used {0} of {1} times").format(count, counts.sum())
            return self.tr("Level {0}, code {1}: {2}").format(code.level, code.entry, used)
        return None


class _CellDelegate(QStyledItemDelegate):
    """Paints a cell as dark as its code is used."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paint the cell."""
        share = index.data(SHARE_ROLE)
        colors = theme.colors()
        rect: QRect = option.rect
        if share is None:
            painter.setPen(QColor(colors.muted))
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, index.data() or "")
            return
        cell = rect.adjusted(0, 0, -1, -1)
        painter.fillRect(cell, _between(colors.surface, colors.second, 0.15 + 0.85 * share) if share else colors.hover)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(QColor(colors.text))
            painter.drawRect(rect.adjusted(0, 0, -2, -2))


class CodebookStrip(QTableView):
    """The cells; a click, Return or Space requests to play one."""

    code_requested = Signal(object)  # Code

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("codebookStrip")
        self.setToolTip(self.tr("The codes of each level, darker the more often they are used. A click plays one."))
        self.setAccessibleName(self.tr("Codes by level"))
        self.codes = CodeTable(self)
        self.setModel(self.codes)
        self.setItemDelegate(_CellDelegate(self))
        self.setShowGrid(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)  # Tab goes on to the next panel
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setMinimumSectionSize(1)
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.hide()
        self.clicked.connect(self._ask)

    def show_counts(self, counts: NDArray[np.int64]) -> None:
        """Show how often each entry is used, ``[levels, entries]``."""
        self.codes.set_counts(counts)
        self.clearSpans()
        rows, height = self.codes.rows_of_level, 0
        for row in range(self.codes.rowCount()):
            self.setRowHeight(row, BETWEEN if self.codes.is_gap(row) else max(ROW, math.ceil(LEVEL / rows)))
            height += self.rowHeight(row)
        if rows > 1:
            for level in range(self.codes.levels):
                self.setSpan(level * (rows + 1), 0, rows, 1)
        self.setFixedHeight(min(height + 2 * self.frameWidth(), TALLEST))
        self._share_width()
        self.setCurrentIndex(self.codes.index_of(Code(0, 0)))  # where the arrow keys start

    def key_group(self) -> KeyGroup:
        """Return the keys of the strip for the help."""
        return KeyGroup(self.tr("Codes"), (KeyHelp(native("Space", "Return"), self.tr("Hear the code")),))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Play with Space and Return; a held key plays once."""
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            if not event.isAutoRepeat():
                self._ask(self.currentIndex())
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the new width among the cells."""
        super().resizeEvent(event)
        self._share_width()

    def _share_width(self) -> None:
        name = self.fontMetrics().horizontalAdvance("00")
        edges = np.linspace(0, max(CELLS, self.viewport().width() - name), CELLS + 1).round().astype(int)
        self.setColumnWidth(0, name)
        for column, width in enumerate(np.diff(edges).tolist(), 1):
            self.setColumnWidth(column, width)

    def _ask(self, index: QModelIndex) -> None:
        code = index.data(CODE_ROLE)
        if isinstance(code, Code):
            self.code_requested.emit(code)


def _between(low: str, high: str, share: float) -> QColor:
    """Return the colour at ``share`` of the way from one colour to another."""
    first, last = QColor(low), QColor(high)
    parts = zip(first.getRgbF()[:3], last.getRgbF()[:3], strict=True)  # type: ignore[index]
    return QColor.fromRgbF(*(a + share * (b - a) for a, b in parts))
