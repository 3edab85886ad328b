"""The list of sounds: playing, keyboard, check boxes, context menu, and which columns there is room for."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, QModelIndex, QObject, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QContextMenuEvent,
    QCursor,
    QHideEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QShowEvent,
    QSinglePointEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QStyleOptionViewItem, QTableView, QWidget

from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, help_of_actions, native
from distill.gui.lists.sound_clicks import Audition
from distill.gui.sounds.cell_delegates import NameDelegate, PlainDelegate, WaveformDelegate
from distill.gui.sounds.columns import Column
from distill.gui.sounds.model import ROW_ROLE, AnyIndex, FilteredSounds
from distill.gui.sounds.sound_row import SoundRow, SoundStatus
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.focus import FocusFrame

_WALKING = (
    Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End,
)  # fmt: skip

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


class SoundView(FocusFrame, QTableView):
    """The table.  A click, Enter or Space on a row plays it, and so does moving to it with the arrow keys.

    Space on the row that is playing stops it.
    """

    audition_requested = Signal(object)  # Path
    stop_requested = Signal()
    exclusion_requested = Signal(object, bool)  # list of Path, whether to exclude them
    reveal_requested = Signal(object)  # Path
    copy_requested = Signal(object)  # list of Path
    removal_requested = Signal(object)  # list of Path
    #: Make others of this sound on the Play page; put these sounds on pads.
    play_page_requested = Signal(object)  # Path
    pads_requested = Signal(object)  # list of Path

    def __init__(self, model: FilteredSounds, thumbnails: Thumbnails) -> None:
        super().__init__()
        self.setModel(model)
        #: Whether moving with the arrow keys plays.
        self.hears_walking = True
        self._audition = Audition(self)
        self._audition.asked.connect(self._hear)
        self._is_on_box = False
        self._heard: Path | None = None
        #: The row under the mouse, or -1.
        self.hovered_row = -1
        self._set_up()
        self.columns = SoundColumns(self)
        self.setItemDelegate(PlainDelegate(self))
        self._names = NameDelegate(self)
        self.setItemDelegateForColumn(Column.NAME, self._names)
        self.setItemDelegateForColumn(Column.WAVEFORM, WaveformDelegate(thumbnails, self))
        self.actions_of_rows = self._make_actions()
        self.selectionModel().selectionChanged.connect(self._update_actions)
        self._update_actions()

    def selected_rows(self) -> list[SoundRow]:
        """Return what is selected, from top to bottom."""
        indexes = sorted(self.selectionModel().selectedRows(), key=QModelIndex.row)
        return [row for index in indexes if (row := index.data(ROW_ROLE)) is not None]

    def layout_state(self) -> str:
        """Return widths and sorting, for the preferences."""
        return bytes(self.horizontalHeader().saveState().toBase64().data()).decode()

    def restore_layout(self, columns: Sequence[str], state: str) -> None:
        """Take columns, widths and sorting from the preferences; what is empty or not understood is left as it is."""
        header = self.horizontalHeader()
        if state and header.restoreState(QByteArray.fromBase64(state.encode())):
            self.sortByColumn(header.sortIndicatorSection(), header.sortIndicatorOrder())
        if columns:
            self.columns.choose(columns)

    def hideEvent(self, event: QHideEvent) -> None:
        """Cancel the pending playback of a row that the arrow keys moved to, and offer no actions."""
        super().hideEvent(event)
        self._audition.cancel_walk()
        self._update_actions()

    def showEvent(self, event: QShowEvent) -> None:
        """Offer the actions of the selected rows again."""
        super().showEvent(event)
        self._update_actions()

    def _set_up(self) -> None:
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)  # Tab leaves the table, arrow keys move in it
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSortingEnabled(True)
        self.sortByColumn(Column.NAME, Qt.SortOrder.AscendingOrder)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(max(28, self.fontMetrics().height() + 12))
        self.setCornerButtonEnabled(False)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_Hover)

    # The row of the cursor.

    def focus_area(self) -> QRectF | None:
        """Frame the row of the cursor: Tab leads to a row that is not selected."""
        row = self.currentIndex().row()
        if row < 0:
            return None
        return QRectF(0, self.rowViewportPosition(row), self.viewport().width(), self.rowHeight(row))

    def currentChanged(self, current: AnyIndex, previous: AnyIndex) -> None:
        """Move the frame; Qt repaints two cells only."""
        super().currentChanged(current, previous)
        self.viewport().update()

    # The row under the mouse.

    def viewportEvent(self, event: QEvent) -> bool:
        """Follow the mouse."""
        kind = event.type()
        if kind in (QEvent.Type.HoverEnter, QEvent.Type.HoverMove) and isinstance(event, QSinglePointEvent):
            self._hover(self.rowAt(round(event.position().y())))
        elif kind in (QEvent.Type.HoverLeave, QEvent.Type.Leave):
            self._hover(-1)
        return super().viewportEvent(event)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """Update the row under the mouse while the table scrolls."""
        super().scrollContentsBy(dx, dy)
        if self.hovered_row >= 0:
            self._hover(self.rowAt(self.viewport().mapFromGlobal(QCursor.pos()).y()))

    def _hover(self, row: int) -> None:
        before, self.hovered_row = self.hovered_row, row
        if row != before:
            for changed in (before, row):
                top, height = self.rowViewportPosition(changed), self.rowHeight(changed)
                self.viewport().update(0, top, self.viewport().width(), height)

    # Actions of rows.

    def _make_actions(self) -> dict[str, QAction]:
        actions: dict[str, QAction] = {}
        for name, text, keys, slot in (
            ("play", self.tr("Play"), "Space", self._play_or_stop),
            ("use", self.tr("Use on the Play page"), "", self._request_play_page),
            ("pad", self.tr("Put on a pad"), "", self._request_pads),
            ("exclude", self.tr("Exclude from training"), "Del", lambda: self._request_exclusion(True)),
            ("include", self.tr("Include in training"), "Ins", lambda: self._request_exclusion(False)),
            ("remove", self.tr("Remove from list"), "Shift+Del", self._request_removal),
            ("reveal", self.tr("Show in folder"), "Ctrl+Shift+F", self._request_reveal),
            ("copy", self.tr("Copy path"), QKeySequence.StandardKey.Copy, self._request_copy),
        ):
            action = QAction(text, self)
            action.setObjectName(f"{name}SoundAction")
            action.setShortcut(QKeySequence(keys))
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.triggered.connect(lambda _checked=False, slot=slot: slot())
            self.addAction(action)
            actions[name] = action
        actions["exclude"].setShortcuts([QKeySequence("Del"), QKeySequence("Backspace")])
        return actions

    def _update_actions(self) -> None:
        is_seen = self.isVisible()  # the Edit menu has these actions on every page
        rows = self.selected_rows() if is_seen else []
        choosable = [row for row in rows if row.status is not SoundStatus.SKIPPED]
        current = self._current_row() if is_seen else None
        play = self.actions_of_rows["play"]
        play.setEnabled(current is not None and current.entry is not None)
        play.setText(self.tr("Stop") if self._is_current_heard() else self.tr("Play"))
        self.actions_of_rows["use"].setEnabled(current is not None and current.entry is not None)
        self.actions_of_rows["pad"].setEnabled(any(row.entry is not None for row in rows))
        self.actions_of_rows["exclude"].setEnabled(any(not row.is_excluded for row in choosable))
        self.actions_of_rows["include"].setEnabled(any(row.is_excluded for row in choosable))
        self.actions_of_rows["reveal"].setEnabled(current is not None)
        self.actions_of_rows["copy"].setEnabled(bool(rows))
        self.actions_of_rows["remove"].setEnabled(bool(rows))

    def refresh_actions(self) -> None:
        """Update the actions after a change of the rows."""
        self._update_actions()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Show the menu of the selected rows: at the mouse, or under the row when a key asked for it."""
        menu = QMenu(self)
        menu.setObjectName("soundMenu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions(list(self.actions_of_rows.values()))
        menu.insertSeparator(self.actions_of_rows["use"])
        menu.insertSeparator(self.actions_of_rows["exclude"])
        menu.insertSeparator(self.actions_of_rows["reveal"])
        menu.addSeparator()
        menu.addMenu(self.columns.make_sort_menu(menu))  # the same as clicking on the headings
        menu.addMenu(self.columns.make_menu(menu))
        at = event.globalPos()
        if event.reason() is QContextMenuEvent.Reason.Keyboard:
            at = self.viewport().mapToGlobal(self.visualRect(self.currentIndex()).bottomLeft())
        menu.popup(at)

    def _request_exclusion(self, exclude: bool) -> None:
        paths = [row.path for row in self.selected_rows() if row.status is not SoundStatus.SKIPPED]
        if paths:
            self.exclusion_requested.emit(paths, exclude)

    def _request_removal(self) -> None:
        if rows := self.selected_rows():
            self.removal_requested.emit([row.path for row in rows])

    def _request_play_page(self) -> None:
        row = self._current_row()
        if row is not None and row.entry is not None:
            self.play_page_requested.emit(row.path)

    def _request_pads(self) -> None:
        if paths := [row.path for row in self.selected_rows() if row.entry is not None]:
            self.pads_requested.emit(paths)

    def _request_reveal(self) -> None:
        if (row := self._current_row()) is not None:
            self.reveal_requested.emit(row.path)

    def _request_copy(self) -> None:
        if rows := self.selected_rows():
            self.copy_requested.emit([row.path for row in rows])

    def key_group(self) -> KeyGroup:
        """Say which keys work here."""
        others = [action for name, action in self.actions_of_rows.items() if name != "play"]
        hearing = (
            KeyHelp(native("Up", "Down"), self.tr("Walk to another sound and hear it")),
            KeyHelp(native("Space"), self.tr("Play or stop")),
            KeyHelp(native("Return"), self.tr("Play from the start")),
        )
        return KeyGroup(self.tr("List of sounds"), (*hearing, *help_of_actions(others)))

    # Playing.

    def show_heard(self, path: Path | None) -> None:
        """Note which sound is playing: Space on it stops it."""
        self._heard = path
        self._update_actions()

    def _is_current_heard(self) -> bool:
        row = self._current_row()
        return row is not None and row.path == self._heard

    def _play_or_stop(self) -> None:
        if self._is_current_heard():
            self.stop_requested.emit()
        else:
            self._audition.ask_current()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the cursor, and play the row that it moved to."""
        before = self.currentIndex()
        super().keyPressEvent(event)
        walked = event.key() in _WALKING and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if walked and self.hears_walking:
            self._audition.follow_walk(event, before)

    def _current_row(self) -> SoundRow | None:
        row: SoundRow | None = self.currentIndex().data(ROW_ROLE)
        return row

    def _hear(self, index: QModelIndex) -> None:
        row = index.data(ROW_ROLE)
        if row is not None and row.entry is not None:
            self.audition_requested.emit(row.path)

    # The boxes.  Qt's own handling would first make the row under the mouse the only selected one, and then play it.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tick or clear a box; if its row is selected, those of all selected rows."""
        row = self._row_of_box(event.position().toPoint()) if event.button() is Qt.MouseButton.LeftButton else None
        self._is_on_box = row is not None
        if row is None:
            super().mousePressEvent(event)
            return
        rows = self.selected_rows()
        paths = [r.path for r in rows if r.status is not SoundStatus.SKIPPED] if row in rows else [row.path]
        self.exclusion_requested.emit(paths, not row.is_excluded)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Take the second of two quick clicks on a box as a click."""
        if self._row_of_box(event.position().toPoint()) is not None:
            self.mousePressEvent(event)
        else:
            super().mouseDoubleClickEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Select nothing by a drag that began on a box."""
        if not self._is_on_box:
            super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a click; a click on a box was handled when the button was pressed."""
        if not self._is_on_box:
            super().mouseReleaseEvent(event)
        self._is_on_box = False

    def _row_of_box(self, position: QPoint) -> SoundRow | None:
        index = self.indexAt(position)
        if not index.isValid() or not index.flags() & Qt.ItemFlag.ItemIsUserCheckable:
            return None
        option = QStyleOptionViewItem()
        self.initViewItemOption(option)
        option.rect = self.visualRect(index)
        row: SoundRow = index.data(ROW_ROLE)
        return row if position.x() <= self._names.box(option, index).right() + 3 else None


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
