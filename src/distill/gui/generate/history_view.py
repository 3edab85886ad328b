"""The list of generated sounds: clicks, keys, stars, dragging, and how a row is painted."""

from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QContextMenuEvent, QFont, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem, QWidget

from distill.generation.history.sound_history import ListedSound
from distill.gui.generate.history_model import FACTS_ROLE, FilteredHistory
from distill.gui.help.keyboard_shortcuts import KeyGroup, KeyHelp, native
from distill.gui.lists.list_model import ITEM_ROLE, MARKED_ROLE
from distill.gui.lists.row_painting import mirrored, paint_ground, whole_facts, write_line
from distill.gui.lists.row_views import PaintedRows, RenamingDelegate, menu_target, set_up_sounds
from distill.gui.lists.sound_clicks import Audition, StarClicks
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import icons, theme
from distill.gui.widgets.drag_and_drop import drag_files
from distill.gui.widgets.waveform import draw_waveform

_ARROWS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)

AnyIndex = QModelIndex | QPersistentModelIndex

#: Width of the waveform, and side of the star and of the area that takes clicks on it, in device-independent pixels.
_WAVEFORM_WIDTH, _STAR_SIDE, _STAR_TARGET_WIDTH = 72, 14, 30
_PLAY_ICON_SIDE = 12


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


def star_target(row: QRect, direction: Qt.LayoutDirection) -> QRect:
    """Return the area of a row that takes clicks on the star: its end, in the direction of reading."""
    area = QRect(row.right() - _STAR_TARGET_WIDTH + 1, row.top(), _STAR_TARGET_WIDTH, row.height())
    return QStyle.visualRect(direction, row, area)


class HistoryDelegate(RenamingDelegate):
    """Paints a generated sound in two lines beside its waveform."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__("soundNameEdit", QCoreApplication.translate("HistoryDelegate", "Name of the sound"), parent)
        self._thumbnails = thumbnails

    def sizeHint(self, option: QStyleOptionViewItem, _index: AnyIndex) -> QSize:
        """Return the height of two lines."""
        return QSize(160, 2 * option.fontMetrics.height() + 4 * theme.HALF)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paint a row."""
        sound = index.data(ITEM_ROLE)
        if not isinstance(sound, ListedSound):
            return
        rect: QRect = option.rect
        is_playing = bool(index.data(MARKED_ROLE))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option, theme.colors().accent if is_playing else "")
        inner = rect.adjusted(theme.MARGIN, theme.HALF, 0, -theme.HALF)
        waveform_area = mirrored(option, QRect(inner.left(), inner.top(), _WAVEFORM_WIDTH, inner.height()))
        self._paint_waveform(painter, waveform_area, sound, is_playing)
        left, right = inner.left() + _WAVEFORM_WIDTH + theme.GAP, rect.right() - _STAR_TARGET_WIDTH
        self._paint_words(painter, QRect(left, inner.top(), right - left, inner.height()), option, index, is_playing)
        is_hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if sound.entry.starred or sound.entry.rejected or is_hovered:
            colors = theme.colors()
            name, color = ("starred", colors.accent) if sound.entry.starred else ("star", colors.muted)
            if sound.entry.rejected:
                name, color = "close", colors.bad
            position = star_target(rect, option.direction).center() - QPoint(_STAR_SIDE // 2, _STAR_SIDE // 2)
            self._paint_icon(painter, position, name, color, _STAR_SIDE)
        painter.restore()

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, _index: AnyIndex) -> None:
        """Place the editor over the name."""
        rect: QRect = option.rect
        left = rect.left() + theme.MARGIN + _WAVEFORM_WIDTH
        height = editor.sizeHint().height()
        field = QRect(left, rect.top() + 1, rect.right() - _STAR_TARGET_WIDTH - left, height)
        editor.setGeometry(mirrored(option, field))

    def _paint_waveform(self, painter: QPainter, position: QRect, sound: ListedSound, is_playing: bool) -> None:
        colors = theme.colors()
        peaks = self._thumbnails.peaks(sound.path) if sound.seconds is not None else None
        if peaks is None:
            if sound.seconds is not None:
                self._thumbnails.request(sound.path)
            painter.fillRect(QRect(position.left(), position.center().y(), position.width(), 1), QColor(colors.border))
            return
        draw_waveform(painter, QRectF(position), peaks, QColor(colors.accent if is_playing else colors.muted))

    def _paint_words(
        self, painter: QPainter, position: QRect, option: QStyleOptionViewItem, index: AnyIndex, is_playing: bool
    ) -> None:
        colors, line = theme.colors(), position.height() // 2
        sound: ListedSound = index.data(ITEM_ROLE)
        font = QFont(option.font)
        font.setBold(True)
        name, is_pale = (
            position.adjusted(0, 0, 0, line - position.height()),
            sound.seconds is None or sound.entry.rejected,
        )
        if is_playing:  # a second sign beside the colour
            icon = QRect(name.left(), name.center().y() - _PLAY_ICON_SIDE // 2, _PLAY_ICON_SIDE, _PLAY_ICON_SIDE)
            self._paint_icon(painter, mirrored(option, icon).topLeft(), "play", colors.accent, _PLAY_ICON_SIDE)
            name = name.adjusted(_PLAY_ICON_SIDE + theme.HALF, 0, 0, 0)
        write_line(painter, font, mirrored(option, name), index.data(), colors.muted if is_pale else colors.text, True)
        facts = position.adjusted(0, line, 0, 0)
        text = whole_facts(index.data(FACTS_ROLE), option.fontMetrics, facts.width())
        write_line(painter, theme.sized(option.font, theme.SMALL), mirrored(option, facts), text, colors.muted)

    @staticmethod
    def _paint_icon(painter: QPainter, corner: QPoint, name: str, color: str, side: int) -> None:
        painter.drawPixmap(corner, icons.pixmap(name, color, side, painter.device().devicePixelRatioF()))
