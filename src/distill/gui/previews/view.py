"""The two tables of the preview panel: the grid of epochs by sounds, and the strip of originals on top of it."""

from collections.abc import Collection
from pathlib import Path

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, native
from distill.gui.lists.row_views import menu_target, set_up_sounds
from distill.gui.lists.sound_clicks import Audition, StarClicks
from distill.gui.previews.delegate import CELL_HEIGHT, NARROWEST, WIDEST, star_target
from distill.gui.previews.model import SOUND_ROLE
from distill.gui.widgets.drag_and_drop import drag_files
from distill.runs.preview_files import PreviewKind, PreviewSound

_ARROWS = (
    Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down,
    Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown,
)  # fmt: skip
#: Keys that this view handles before the window's shortcuts.
_PREVIEW_KEYS = (Qt.Key.Key_Space, Qt.Key.Key_B, Qt.Key.Key_S)


class PreviewCells(StarClicks, QTableView):
    """Cells with sounds: a click, Space, Enter and moving with the arrow keys play, and a cell can be dragged out.

    Space on the playing sound stops it.
    """

    playing_requested = Signal(object)  # PreviewSound
    #: Compare the sound under the cursor with its original or reconstruction.
    comparing_requested = Signal()
    #: Star the selected sounds, or remove their stars.
    starring_requested = Signal(object)  # list of PreviewSound
    #: Copy the selected sounds to the clipboard.
    copying_requested = Signal()
    #: Show the menu of the selected sounds at a position on the screen.
    menu_requested = Signal(QPoint)
    #: The user has moved to a cell, which may be this table's current cell already.
    entered_by_user = Signal(QModelIndex)

    def __init__(self) -> None:
        super().__init__()
        set_up_sounds(self)
        self.setTabKeyNavigation(False)  # Tab leaves the table, arrow keys move in it
        self.setShowGrid(False)
        self.setCornerButtonEnabled(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setHighlightSections(False)
            header.setSectionsClickable(False)
        self.horizontalHeader().setMinimumSectionSize(NARROWEST)
        self.verticalHeader().setDefaultSectionSize(CELL_HEIGHT)
        self.clicked.connect(self.entered_by_user)  # before it is heard
        self._heard_previews: Collection[Path] = ()
        self._hearing = Audition(self)
        self._hearing.asked.connect(self._on_requested)

    def current_sound(self) -> PreviewSound | None:
        """Return the sound under the cursor."""
        return _sound(self.currentIndex())

    def show_heard(self, paths: Collection[Path]) -> None:
        """Note which sounds Space stops: the one that is heard, and the one that it is compared with."""
        self._heard_previews = paths

    def chosen_sounds(self) -> list[PreviewSound]:
        """Return what is selected, from top to bottom; the sound under the cursor if nothing is."""
        chosen = sorted(self.selectedIndexes(), key=lambda index: (index.row(), index.column()))
        return [s for i in chosen or [self.currentIndex()] if (s := _sound(i)) is not None]

    # Keys.

    def key_group(self) -> KeyGroup:
        """Say which keys work here."""
        return KeyGroup(
            self.tr("Previews"),
            (
                KeyHelp(native("Left", "Right"), self.tr("Walk to another sound of the epoch and hear it")),
                KeyHelp(native("Up", "Down"), self.tr("Walk to another epoch of the sound and hear it")),
                KeyHelp(native("Space"), self.tr("Play or stop")),
                KeyHelp(native("Return"), self.tr("Play from the start")),
                KeyHelp(native("B"), self.tr("Switch between the original and the model's copy")),
                KeyHelp(native("S"), self.tr("Star, or remove the star")),
                KeyHelp(native("Ctrl+C"), self.tr("Copy the file, for a file manager or a DAW")),
            ),
        )

    def event(self, event: QEvent) -> bool:
        """Keep the keys that this view handles from the window's shortcuts."""
        is_override = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if is_override and event.key() in _PREVIEW_KEYS and not event.modifiers():  # type: ignore[attr-defined]
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Play, compare, star, copy, or move and play."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copying_requested.emit()
        elif event.key() == Qt.Key.Key_Space and not event.modifiers():
            sound = self.current_sound()
            self._hearing.take_space(event, sound is not None and sound.path in self._heard_previews)
        elif event.key() in _PREVIEW_KEYS and not event.modifiers():
            if not event.isAutoRepeat():
                self._on_preview_key(event.key())
        elif event.key() in _ARROWS:
            before = self.currentIndex()
            self._walk(event)
            self._hearing.follow_walk(event, before)
        else:
            super().keyPressEvent(event)

    def keyboardSearch(self, _search: str) -> None:
        """Do not search by typing: the cells have no text."""

    def _on_preview_key(self, key: int) -> None:
        if key == Qt.Key.Key_B:
            self.comparing_requested.emit()
        elif sounds := [s for s in self.chosen_sounds() if s.kind is not PreviewKind.ORIGINAL]:
            self.starring_requested.emit(sounds)

    def _walk(self, event: QKeyEvent) -> None:
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Take the cursor over when the focus comes by a key."""
        super().focusInEvent(event)
        if event.reason() != Qt.FocusReason.MouseFocusReason and self.currentIndex().isValid():
            self.entered_by_user.emit(self.currentIndex())

    # The mouse.

    def starred_at(self, position: QPoint) -> PreviewSound | None:
        """Return the sound whose star is at a position; originals have none."""
        index = self.indexAt(position)
        preview = _sound(index)
        has_star_target = preview is not None and preview.kind is not PreviewKind.ORIGINAL
        return preview if has_star_target and star_target(self.visualRect(index)).contains(position) else None

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Request the menu at the mouse, or at the cursor if a key opened it."""
        index, position = menu_target(self, event)
        if _sound(index) is not None:
            self.entered_by_user.emit(index)
            self.menu_requested.emit(position)

    def startDrag(self, _supported: Qt.DropAction) -> None:
        """Drag the selected sounds as files."""
        drag_files(self)

    # Playing.

    def _on_requested(self, index: QModelIndex) -> None:
        """Play a cell; for one that is empty, its row's first sound."""
        row = [index, *(index.siblingAtColumn(n) for n in range(self.model().columnCount()))]
        sound = next((s for i in row if (s := _sound(i)) is not None), None)
        if sound is not None:
            self.playing_requested.emit(sound)


class PreviewView(PreviewCells):
    """The grid.

    It scrolls to the newest epoch while its end is visible, but never so far that the cell under
    the cursor is hidden.
    """

    #: The cursor goes up from the first row.
    left_upwards = Signal(int)  # column
    #: The widths of the cells or of the scroll bar have changed.
    layout_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.horizontalHeader().hide()
        self._narrowest_column = NARROWEST
        self._follows_newest = True
        bar = self.verticalScrollBar()
        bar.valueChanged.connect(self._on_scrolled)
        bar.rangeChanged.connect(self._on_range_changed)

    def show_newest(self) -> None:
        """Go to the newest epoch, and follow the next ones."""
        self.scrollToBottom()
        self._follows_newest = True

    def fit_columns(self, narrowest: int | None = None) -> None:
        """Divide the width among the columns; below their minimum the view scrolls."""
        self._narrowest_column = narrowest or self._narrowest_column
        count = self.model().columnCount() if self.model() is not None else 0
        if count:
            width = max(self._narrowest_column, min(WIDEST, self.viewport().width() // count))
            if width != self.horizontalHeader().defaultSectionSize():
                self.horizontalHeader().setDefaultSectionSize(width)
                self.updateGeometries()  # the header alone leaves a scroll bar that has nothing to scroll

    def updateGeometries(self) -> None:
        """Tell the strip on top, which has to stay aligned."""
        super().updateGeometries()
        self.layout_changed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Divide the new width among the columns."""
        super().resizeEvent(event)
        self.fit_columns()
        self.layout_changed.emit()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Put the cursor on the newest epoch if there is none; Qt would choose the oldest."""
        if not self.currentIndex().isValid() and self.model().rowCount():
            row = self.model().rowCount() - 1
            cells = (self.model().index(row, column) for column in range(self.model().columnCount()))
            first = next((cell for cell in cells if _sound(cell) is not None), None)
            if first is not None:
                has_scrolling, was_following = self.hasAutoScroll(), self._follows_newest
                self.setAutoScroll(False)
                self.selectionModel().setCurrentIndex(first, QItemSelectionModel.SelectionFlag.NoUpdate)
                self.setAutoScroll(has_scrolling)
                self._follows_newest = was_following
        super().focusInEvent(event)

    def _walk(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Up and not event.modifiers() and self.currentIndex().row() == 0:
            self.left_upwards.emit(self.currentIndex().column())
        else:
            super()._walk(event)

    def _on_scrolled(self, value: int) -> None:
        self._follows_newest = value == self.verticalScrollBar().maximum()

    def _on_range_changed(self, _lowest: int, highest: int) -> None:
        if not self._follows_newest:
            return
        bar = self.verticalScrollBar()
        if self.currentIndex().isValid():
            top = self.rowViewportPosition(self.currentIndex().row())
            is_in_sight = 0 <= top < self.viewport().height()
            if is_in_sight and top - (highest - bar.value()) < 0:
                return
        bar.setValue(highest)


class OriginalsView(PreviewCells):
    """The strip of originals."""

    #: The cursor goes down, into the grid.
    left_downwards = Signal(int)  # column

    def __init__(self) -> None:
        super().__init__()
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def _walk(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down and not event.modifiers():
            self.left_downwards.emit(self.currentIndex().column())
        else:
            super()._walk(event)


def _sound(index: QModelIndex) -> PreviewSound | None:
    sound = index.data(SOUND_ROLE)
    return sound if isinstance(sound, PreviewSound) else None
