"""The list of generated sounds: clicks, keys, stars and dragging."""

from PySide6.QtCore import QEvent, QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QKeySequence

from distill.generation.history.sound_history import ListedSound
from distill.gui.generate.history_delegate import HistoryDelegate, star_target
from distill.gui.generate.history_model import FilteredHistory
from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, native
from distill.gui.lists.list_model import ITEM_ROLE, MARKED_ROLE
from distill.gui.lists.row_views import PaintedRows, menu_target, set_up_sounds
from distill.gui.lists.sound_clicks import Audition, StarClicks
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets.drag_and_drop import drag_files

_ARROWS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class HistoryView(StarClicks, PaintedRows):
    """Rows of generated sounds.  A click, Space, Enter and the arrow keys play; rows can be dragged out."""

    playing_requested = Signal(object)  # Path
    #: Star these, or remove their stars if all are starred.
    starring_requested = Signal(object)  # list of ListedSound
    #: Reject these, or take that back if all are rejected.
    rejecting_requested = Signal(object)  # list of ListedSound
    deleting_requested = Signal()
    undo_requested = Signal()
    copying_requested = Signal()
    exporting_requested = Signal()
    menu_requested = Signal(QPoint)

    def __init__(self, model: FilteredHistory, thumbnails: Thumbnails) -> None:
        super().__init__(model)
        self.setObjectName("generatedList")
        self.setAccessibleName(self.tr("Generated sounds"))
        self.setToolTip(self.tr("Click or press Space to hear a sound; drag it out to use it."))
        self.setItemDelegate(HistoryDelegate(thumbnails, self))
        set_up_sounds(self)
        self._audition = Audition(self)
        self._audition.asked.connect(self._on_requested)

    def chosen_sounds(self) -> list[ListedSound]:
        """Return what is selected, from top to bottom; the sound under the cursor if nothing is."""
        chosen = sorted(self.selectedIndexes(), key=lambda index: index.row())
        return [s for i in chosen or [self.currentIndex()] if isinstance(s := i.data(ITEM_ROLE), ListedSound)]

    def edit_name(self) -> None:
        """Open the editor for the name under the cursor."""
        self.edit(self.currentIndex())

    def key_group(self) -> KeyGroup:
        """Say which keys work here."""
        entries = (
            (("Space",), self.tr("Play or stop")),
            (("Return",), self.tr("Play from the start")),
            (("S",), self.tr("Star, or remove the star")),
            (("X",), self.tr("Reject, or take that back")),
            (("Ctrl+C",), self.tr("Copy the files")),
            (("Ctrl+E",), self.tr("Export")),
            (("F2",), self.tr("Rename")),
            (("Del",), self.tr("Move to the trash")),
            (("Ctrl+Z",), self.tr("Undo moving to the trash")),
        )
        return KeyGroup(self.tr("Generated sounds"), tuple(KeyHelp(native(*keys), text) for keys, text in entries))

    # Keys.

    def event(self, event: QEvent) -> bool:
        """Keep the keys that this view handles from the window's shortcuts."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._action_of(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Play, star, reject, copy, export, delete, undo, or move and play."""
        action = self._action_of(event)
        if action == "play":
            self._audition.take_space(event, bool(self.currentIndex().data(MARKED_ROLE)))
            return
        if action:
            if not event.isAutoRepeat():
                self._carry_out(action)
            return
        before = self.currentIndex()
        super().keyPressEvent(event)
        if event.key() in _ARROWS:
            self._audition.follow_walk(event, before)

    def keyboardSearch(self, _search: str) -> None:
        """Do not search by typing: S toggles the star."""

    def _action_of(self, event: QKeyEvent) -> str:
        """Return the action of a key, or ""."""
        for key, action in ((QKeySequence.StandardKey.Copy, "copy"), (QKeySequence.StandardKey.Undo, "undo")):
            if event.matches(key):
                return action
        is_control = event.modifiers() == Qt.KeyboardModifier.ControlModifier
        if event.key() == Qt.Key.Key_E and is_control:
            return "export"
        if event.modifiers() != Qt.KeyboardModifier.NoModifier:
            return ""
        keys_alone = {
            Qt.Key.Key_Space: "play", Qt.Key.Key_S: "star", Qt.Key.Key_X: "reject",
            Qt.Key.Key_Delete: "delete", Qt.Key.Key_Backspace: "delete", Qt.Key.Key_F2: "rename",
        }  # fmt: skip
        return keys_alone.get(Qt.Key(event.key()), "")

    def _carry_out(self, action: str) -> None:
        if action == "undo":
            self.undo_requested.emit()
        elif sounds := self.chosen_sounds():
            if action == "star":
                self.starring_requested.emit(sounds)
            elif action == "rename":
                self.edit_name()
            elif action == "reject":
                self.rejecting_requested.emit(sounds)
            else:
                {"copy": self.copying_requested, "export": self.exporting_requested, "delete": self.deleting_requested}[
                    action
                ].emit()

    # The mouse.

    def starred_at(self, position: QPoint) -> ListedSound | None:
        """Return the sound whose star is at a position."""
        index = self.indexAt(position)
        sound = index.data(ITEM_ROLE)
        is_star = isinstance(sound, ListedSound) and star_target(
            self.visualRect(index), self.layoutDirection()
        ).contains(position)
        return sound if is_star else None

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Request the menu at the mouse, or at the cursor if a key opened it."""
        index, position = menu_target(self, event)
        if index.isValid():
            if not self.selectionModel().isSelected(index):
                self.setCurrentIndex(index)
            self.menu_requested.emit(position)

    def startDrag(self, _supported: Qt.DropAction) -> None:
        """Drag the selected sounds as files."""
        drag_files(self)

    # Playing.

    def _on_requested(self, index: QModelIndex) -> None:
        sound = index.data(ITEM_ROLE)
        if isinstance(sound, ListedSound):
            self.playing_requested.emit(sound.path)
