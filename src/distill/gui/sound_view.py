"""The list of sounds as one works with it: hearing, walking, ticking boxes, the menu, the waveforms."""

from collections.abc import Sequence

from PySide6.QtCore import QByteArray, QModelIndex, QPoint, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QColor, QContextMenuEvent, QHideEvent, QKeyEvent, QKeySequence, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from distill.gui import theme
from distill.gui.key_help import KeyGroup, KeyHelp, help_of_actions, native
from distill.gui.sound_columns import SoundColumns
from distill.gui.sound_row import SoundRow, SoundStatus
from distill.gui.sound_table import CELL_ROLE, ROW_ROLE, AnyIndex, Column, FilteredSounds
from distill.gui.waveform import Thumbnails, draw_waveform

#: While an arrow key is held down, a sound is heard once the list has stood still for this long.
REST_MILLISECONDS = 120

_WALKING = (
    Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End,
)  # fmt: skip


#: Left and right of a cell's text, as in the style sheet.
PADDING = 6


class NameDelegate(QStyledItemDelegate):
    """Draws a name, cut in its middle: the ends of names tell takes apart."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Say how the cell looks."""
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideMiddle
        if not index.flags() & Qt.ItemFlag.ItemIsUserCheckable:  # the style sheet draws no box then, but leaves room
            option.state &= ~QStyle.StateFlag.State_Enabled

    def box(self, option: QStyleOptionViewItem, index: AnyIndex) -> QRect:
        """Return where the box is in the cell ``option.rect``."""
        self.initStyleOption(option, index)
        style = option.widget.style()
        return style.subElementRect(QStyle.SubElement.SE_ItemViewItemCheckIndicator, option, option.widget)


class PlainDelegate(QStyledItemDelegate):
    """Draws a cell without a box as the style sheet would, in a tenth of the time: most cells are such."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Draw ground and text."""
        rect: QRect = option.rect
        current = theme.colors()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(current.accent_soft))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(current.hover))
        text, color, alignment = index.data(CELL_ROLE)
        if text:
            painter.setFont(option.font)
            painter.setPen(color or QColor(current.text))
            place = rect.adjusted(PADDING, 0, -PADDING, 0)
            short = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, place.width())
            painter.drawText(place, alignment, short)


class WaveformDelegate(PlainDelegate):
    """Draws the waveform of a row, and asks for it where it is not there yet: what is painted is what is visible."""

    def __init__(self, thumbnails: Thumbnails, parent: QAbstractItemView) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Draw the cell."""
        super().paint(painter, option, index)
        row: SoundRow | None = index.data(ROW_ROLE)
        if row is None or row.entry is None:
            return
        peaks = self._thumbnails.peaks(row.path)
        if peaks is None:
            self._thumbnails.request(row.path)
            return
        rect: QRect = option.rect
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        current = theme.colors()
        color = QColor(current.accent if is_selected else current.muted)
        draw_waveform(painter, QRectF(rect).adjusted(4, 4, -4, -4), peaks, color, muted=not row.is_usable)


class SoundView(QTableView):
    """The table.  A click, Enter or Space on a row asks to hear it, and so does walking to it with the arrow keys."""

    audition_asked = Signal(object)  # Path
    exclusion_asked = Signal(object, bool)  # list of Path, whether to exclude them
    reveal_asked = Signal(object)  # Path
    copy_asked = Signal(object)  # list of Path

    def __init__(self, model: FilteredSounds, thumbnails: Thumbnails) -> None:
        super().__init__()
        self.setModel(model)
        #: Whether walking with the arrow keys plays.
        self.hears_walking = True
        self._rest = QTimer(self, interval=REST_MILLISECONDS, singleShot=True)
        self._rest.timeout.connect(self._hear_current)
        self._is_on_box = self._is_selecting = False
        self._set_up()
        self.columns = SoundColumns(self)
        self.setItemDelegate(PlainDelegate(self))
        self._names = NameDelegate(self)
        self.setItemDelegateForColumn(Column.NAME, self._names)
        self.setItemDelegateForColumn(Column.WAVEFORM, WaveformDelegate(thumbnails, self))
        self.actions_of_rows = self._make_actions()
        self.clicked.connect(self._on_clicked)
        self.activated.connect(self._on_activated)
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
        """Play nothing any more that the arrow keys were about to play."""
        super().hideEvent(event)
        self._rest.stop()

    def _set_up(self) -> None:
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)  # Tab leaves the table, arrow keys walk in it
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSortingEnabled(True)
        self.sortByColumn(Column.NAME, Qt.SortOrder.AscendingOrder)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(max(28, self.fontMetrics().height() + 12))
        self.setCornerButtonEnabled(False)

    # What one can do with rows.

    def _make_actions(self) -> dict[str, QAction]:
        made: dict[str, QAction] = {}
        for name, text, keys, slot in (
            ("play", self.tr("Play"), "Space", self._hear_current),
            ("exclude", self.tr("Exclude from training"), "Del", lambda: self._ask_exclusion(True)),
            ("include", self.tr("Include in training"), "Ins", lambda: self._ask_exclusion(False)),
            ("reveal", self.tr("Show in folder"), "Ctrl+Shift+F", self._ask_reveal),
            ("copy", self.tr("Copy path"), QKeySequence.StandardKey.Copy, self._ask_copy),
        ):
            action = QAction(text, self)
            action.setObjectName(f"{name}SoundAction")
            action.setShortcut(QKeySequence(keys))
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.triggered.connect(lambda _checked=False, slot=slot: slot())
            self.addAction(action)
            made[name] = action
        made["exclude"].setShortcuts([QKeySequence("Del"), QKeySequence("Backspace")])
        return made

    def _update_actions(self) -> None:
        rows = self.selected_rows()
        choosable = [row for row in rows if row.status is not SoundStatus.LEFT_OUT]
        current = self._current_row()
        self.actions_of_rows["play"].setEnabled(current is not None and current.entry is not None)
        self.actions_of_rows["exclude"].setEnabled(any(not row.is_excluded for row in choosable))
        self.actions_of_rows["include"].setEnabled(any(row.is_excluded for row in choosable))
        self.actions_of_rows["reveal"].setEnabled(current is not None)
        self.actions_of_rows["copy"].setEnabled(bool(rows))

    def refresh_actions(self) -> None:
        """Follow a change of the rows."""
        self._update_actions()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Show the menu of the selected rows: at the mouse, or under the row when a key asked for it."""
        menu = QMenu(self)
        menu.setObjectName("soundMenu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions(list(self.actions_of_rows.values()))
        menu.insertSeparator(self.actions_of_rows["exclude"])
        menu.insertSeparator(self.actions_of_rows["reveal"])
        menu.addSeparator()
        menu.addMenu(self.columns.make_sort_menu(menu))  # what the headings do for the mouse
        menu.addMenu(self.columns.make_menu(menu))
        at = event.globalPos()
        if event.reason() is QContextMenuEvent.Reason.Keyboard:
            at = self.viewport().mapToGlobal(self.visualRect(self.currentIndex()).bottomLeft())
        menu.popup(at)

    def _ask_exclusion(self, exclude: bool) -> None:
        paths = [row.path for row in self.selected_rows() if row.status is not SoundStatus.LEFT_OUT]
        if paths:
            self.exclusion_asked.emit(paths, exclude)

    def _ask_reveal(self) -> None:
        if (row := self._current_row()) is not None:
            self.reveal_asked.emit(row.path)

    def _ask_copy(self) -> None:
        if rows := self.selected_rows():
            self.copy_asked.emit([row.path for row in rows])

    def key_group(self) -> KeyGroup:
        """Say which keys work here."""
        walk = KeyHelp(native("Up", "Down"), self.tr("Walk to another sound and hear it"))
        return KeyGroup(self.tr("List of sounds"), (walk, *help_of_actions(self.actions_of_rows.values())))

    # Hearing.

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk, and play what was walked to."""
        before = self.currentIndex()
        super().keyPressEvent(event)
        walked = event.key() in _WALKING and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if not walked or not self.hears_walking or self.currentIndex() == before:
            return
        if event.isAutoRepeat():  # the key is held down: not a scrap of each sound on the way
            self._rest.start()
        else:
            self._hear_current()

    def _current_row(self) -> SoundRow | None:
        row: SoundRow | None = self.currentIndex().data(ROW_ROLE)
        return row

    def _hear_current(self) -> None:
        self._hear(self.currentIndex())

    def _hear(self, index: QModelIndex) -> None:
        self._rest.stop()
        row = index.data(ROW_ROLE)
        if row is not None and row.entry is not None:
            self.audition_asked.emit(row.path)

    def _on_clicked(self, index: QModelIndex) -> None:
        if not self._is_selecting:
            self._hear(index)

    def _on_activated(self, index: QModelIndex) -> None:
        self._hear(index)

    # The boxes.  Qt's own handling would first make the row under the mouse the only selected one, and then play it.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tick or clear a box; of all selected rows, where it is the box of one of these."""
        selecting = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        self._is_selecting = bool(event.modifiers() & selecting)  # such a click does not play
        row = self._row_of_box(event.position().toPoint()) if event.button() is Qt.MouseButton.LeftButton else None
        self._is_on_box = row is not None
        if row is None:
            super().mousePressEvent(event)
            return
        rows = self.selected_rows()
        paths = [r.path for r in rows if r.status is not SoundStatus.LEFT_OUT] if row in rows else [row.path]
        self.exclusion_asked.emit(paths, not row.is_excluded)

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
        """End a click; one on a box has done its work."""
        if not self._is_on_box:
            super().mouseReleaseEvent(event)
        self._is_on_box = False

    def _row_of_box(self, at: QPoint) -> SoundRow | None:
        index = self.indexAt(at)
        if not index.isValid() or not index.flags() & Qt.ItemFlag.ItemIsUserCheckable:
            return None
        option = QStyleOptionViewItem()
        self.initViewItemOption(option)
        option.rect = self.visualRect(index)
        row: SoundRow = index.data(ROW_ROLE)
        return row if at.x() <= self._names.box(option, index).right() + 3 else None
