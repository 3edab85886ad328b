"""The columns of the list of sounds: headings, sort order, and which are shown, as far as there is room for them."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHeaderView, QMenu, QTableView, QWidget

from distill.gui.sounds.sound_row import SoundRow, SoundStatus
from distill.gui.widgets import theme

translate = QCoreApplication.translate


class Column(IntEnum):
    """Columns of the model; the view has an order of its own."""

    NAME = 0
    DURATION = 1
    RATE = 2
    CHANNELS = 3
    STATUS = 4
    LEVEL = 5
    WAVEFORM = 6


#: Widths in device-independent pixels at the usual font; the name takes what is left, and at least this much.
COLUMN_WIDTHS = {
    Column.NAME: 140, Column.WAVEFORM: 72, Column.DURATION: 58, Column.LEVEL: 56, Column.RATE: 44,
    Column.CHANNELS: 36, Column.STATUS: 78,
}  # fmt: skip
#: From left to right.
COLUMN_ORDER = tuple(COLUMN_WIDTHS)
#: What is shown first where there is not room for all; the name is always shown.
_IMPORTANCE = (Column.STATUS, Column.WAVEFORM, Column.DURATION, Column.LEVEL, Column.RATE, Column.CHANNELS)
#: What is shown until the user chooses; the others are in the menu of the header.
_DEFAULT = (Column.STATUS, Column.WAVEFORM, Column.DURATION)


def headings() -> tuple[str, ...]:
    """Return what stands over the columns, by their numbers."""
    return (
        translate("SoundModel", "Name"),
        translate("SoundModel", "Length"),
        translate("SoundModel", "kHz"),
        translate("SoundModel", "Ch."),
        translate("SoundModel", "Status"),
        translate("SoundModel", "Peak"),
        translate("SoundModel", "Waveform"),
    )


def heading_tips() -> tuple[str, ...]:
    """Return what the columns hold, by their numbers."""
    return (
        translate("SoundModel", "Name of the file. A ticked sound is trained on; clear the box to exclude it."),
        translate("SoundModel", "How long the sound is."),
        translate("SoundModel", "Sample rate in kHz. Whatever it is, the sound is trained on at 48 kHz."),
        translate("SoundModel", "Channels. Whatever their number, the sound is trained on in mono."),
        translate("SoundModel", "Held out, excluded or skipped, and why. Empty for a sound that is trained on."),
        translate(
            "SoundModel",
            "Level of the loudest sample, in dB of full scale (0 is the loudest that fits). Every sound is brought "
            "to full scale before training, so a quiet one is learned from as well as a loud one.",
        ),
        translate("SoundModel", "Shape of the sound, drawn as high as the row whatever its level."),
    )


def alignment(column: int) -> int:
    """Return on which side of its column a text stands."""
    left = column in (Column.NAME, Column.STATUS, Column.WAVEFORM)
    side = Qt.AlignmentFlag.AlignLeft if left else Qt.AlignmentFlag.AlignRight
    return int(side | Qt.AlignmentFlag.AlignVCenter)


def sort_key(row: SoundRow, column: int) -> Any:
    """Return what a row is sorted by in a column."""
    entry = row.entry
    if column in (Column.NAME, Column.WAVEFORM):
        return row.name.casefold()
    if column == Column.STATUS:
        order = 3 if row.status is SoundStatus.SKIPPED else 2 if row.is_excluded else 1 if row.is_held_out else 0
        return f"{order} {int(row.status)} {row.reason}"
    if column == Column.LEVEL:
        return row.peak_dbfs if row.peak_dbfs is not None else -1000.0
    if entry is None:
        return -1.0
    return float((entry.duration_s, entry.sample_rate, entry.channels)[column - Column.DURATION])


class SoundColumns(QObject):
    """Shows and hides the columns of a table as its width allows, and lets the user choose in the header's menu.

    A column that the user asks for comes before all others, so that it is there even in a narrow list.
    """

    def __init__(self, view: QTableView) -> None:
        super().__init__(view)
        self._view = view
        #: Columns that are wanted, the most important one first.
        self.wanted: tuple[Column, ...] = _DEFAULT
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(30)
        header.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
        for position, column in enumerate(COLUMN_ORDER):
            header.moveSection(header.visualIndex(column), position)
            if column is not Column.NAME:
                header.resizeSection(column, theme.roomy(COLUMN_WIDTHS[column]))
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._on_menu_requested)
        view.installEventFilter(self)

    def choose(self, names: Sequence[str]) -> None:
        """Show these columns, most important first; unknown names are ignored."""
        known = {column.name.lower(): column for column in _IMPORTANCE}
        self.wanted = tuple(known[name] for name in dict.fromkeys(names) if name in known)
        self.fit()

    def names(self) -> list[str]:
        """Return the columns that are wanted, for the preferences; never empty, as the name is always shown."""
        return [column.name.lower() for column in (Column.NAME, *self.wanted)]

    def set_wanted(self, column: Column, is_wanted: bool) -> None:
        """Show a column before all others, or no more."""
        others = tuple(other for other in self.wanted if other is not column)
        self.wanted = (column, *others) if is_wanted else others
        self.fit()

    def fit(self) -> None:
        """Show as many of the wanted columns as there is room for."""
        header, view = self._view.horizontalHeader(), self._view
        # With a scroll bar, whether there is one or not: it must not make a column come and go.
        scroll_bar = view.verticalScrollBar().sizeHint().width()
        room_for_columns = view.width() - scroll_bar - theme.roomy(COLUMN_WIDTHS[Column.NAME])
        for column in self.wanted:
            is_hidden = header.isSectionHidden(column)
            room_for_columns -= theme.roomy(COLUMN_WIDTHS[column]) if is_hidden else header.sectionSize(column)
            header.setSectionHidden(column, room_for_columns < 0)
        for column in set(_IMPORTANCE) - set(self.wanted):
            header.setSectionHidden(column, True)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the list's width."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self.fit()
        return super().eventFilter(watched, event)

    def make_menu(self, parent: QWidget) -> QMenu:
        """Return a menu in which columns are chosen."""
        menu = QMenu(self.tr("Columns"), parent)
        menu.setObjectName("columnsMenu")
        menu.setToolTipsVisible(True)
        for column in COLUMN_ORDER[1:]:
            text = self._heading(column)
            is_wanted = column in self.wanted
            if is_wanted and self._view.isColumnHidden(column):
                text = self.tr("{0} (no room)").format(text)
            action = QAction(text, menu, checkable=True, checked=is_wanted)
            action.setToolTip(self._heading(column, Qt.ItemDataRole.ToolTipRole))
            action.toggled.connect(lambda checked, column=column: self.set_wanted(column, checked))
            menu.addAction(action)
        return menu

    def make_sort_menu(self, parent: QWidget) -> QMenu:
        """Return a menu that does what a click on a heading does: sort by a column, or the other way round."""
        menu = QMenu(self.tr("Sort by"), parent)
        menu.setObjectName("sortMenu")
        header = self._view.horizontalHeader()
        for column in COLUMN_ORDER:
            is_sorted = header.sortIndicatorSection() == column
            action = QAction(self._heading(column), menu, checkable=True, checked=is_sorted)
            action.triggered.connect(lambda _checked=False, column=column: self.sort_by(column))
            menu.addAction(action)
        return menu

    def sort_by(self, column: Column) -> None:
        """Sort by a column, in the other direction where it is sorted by that already."""
        header, order = self._view.horizontalHeader(), Qt.SortOrder.AscendingOrder
        if header.sortIndicatorSection() == column and header.sortIndicatorOrder() is order:
            order = Qt.SortOrder.DescendingOrder
        self._view.sortByColumn(column, order)

    def _heading(self, column: Column, role: Qt.ItemDataRole = Qt.ItemDataRole.DisplayRole) -> str:
        return str(self._view.model().headerData(column, Qt.Orientation.Horizontal, role))

    def _on_menu_requested(self, position: QPoint) -> None:
        header = self._view.horizontalHeader()
        menu = self.make_menu(header)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(header.mapToGlobal(position))
