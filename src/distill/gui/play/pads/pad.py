"""A pad: it holds a sound and shows its key, its waveform and its name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QDrag,
    QDragEnterEvent,
    QDropEvent,
    QFocusEvent,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QMenu,
    QSizePolicy,
    QStyle,
    QStyleOptionToolButton,
    QStylePainter,
    QToolButton,
    QWidget,
)

from distill.audio.decoding.sound_suffixes import SOUND_SUFFIXES
from distill.control.pads_keys_and_knobs import GROUPS
from distill.gui.lists.row_painting import write_line
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.drag_and_drop import accept_copy, files_as_mime
from distill.gui.widgets.plain_text import plain_tip, readable
from distill.gui.widgets.waveform import draw_waveform

#: Size of a pad in the smallest window.
_SMALLEST = QSize(44, 20)

#: Room between the border of a pad and what it shows, across and up, in device-independent pixels.
_INSET, _HIGH_INSET = 6, 4

#: Columns and rows that Alt with an arrow key moves a pad by.
_MOVES = {
    Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1),
}  # fmt: skip

#: Milliseconds that a pad lights up for when it is played from elsewhere.
_LIT = 120

#: Ends of words in names, behind which a name is broken into two lines.
_WORD_ENDS = " _-."


class Pad(QToolButton):
    """A pad: plays its sound as soon as it is pressed; an empty one takes the current sound.

    One that holds a sound can be dragged: onto another pad, or as a file into another program.
    """

    #: It plays at Space and Return: see `distill.gui.player.window_wide_keys`.
    plays_itself = True

    struck = Signal()
    released = Signal()
    #: Another sound, or none.
    sound_given = Signal(object)  # Path or None
    group_chosen = Signal(int)
    #: Another pad is dropped on this one.
    pad_dropped = Signal(int)  # its number
    #: Exchange it with the pad that lies so many columns and rows further.
    move_requested = Signal(int, int)

    def __init__(self, number: int, key: str, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.number, self.key, self._thumbnails = number, key, thumbnails
        self.setObjectName(f"pad{number + 1}")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(True)
        self.sound: Path | None = None
        #: What is written on it: a name that tells its sound from those of the other pads.
        self.label = ""
        #: Returns where the label is cut if it is too long.
        self.elision: Callable[[Pad], Qt.TextElideMode] = lambda _pad: Qt.TextElideMode.ElideRight
        self.choke_group = 0
        self._is_down = False
        self._pressed_at: QPointF | None = None  # where a drag may have begun
        self._dark = QTimer(self, singleShot=True, interval=_LIT)
        self._dark.timeout.connect(self._darken)
        self.hold(None)

    def hold(self, sound: Path | None) -> None:
        """Hold a sound, or none."""
        self.sound, self.label = sound, sound.stem if sound is not None else ""
        name = sound.stem if sound is not None else self.tr("empty")
        self.setText(f"{self.key} ·{self.choke_group}" if self.choke_group else self.key)
        self.setProperty("pad", "empty" if sound is None else "held")
        self.style().unpolish(self)  # the style sheet looks at the property
        self.style().polish(self)
        text = self.tr("Pad {0}: {1}").format(self.key, name)
        if self.choke_group:
            text = self.tr("{0}, choke group {1}").format(text, self.choke_group)
        self.setAccessibleName(text)
        tip = (
            self.tr(
                "Plays {0}. Key {1}. Drag it onto another pad, or press Alt with an arrow key, to exchange the two. "
                "Delete empties the pad, G changes its choke group."
            )
            if sound is not None
            else self.tr("Empty. Click to put the current sound here, or drop one. Key {1}.")
        )
        self.setToolTip(plain_tip(tip.format(name, self.key)))

    def show_label(self, text: str) -> None:
        """Write a shorter name on the pad; tooltip and screen readers have the whole one."""
        if text != self.label:
            self.label = text
            self.update()

    def join(self, group: int) -> None:
        """Be in a choke group; 0 is none."""
        self.choke_group = group
        self.hold(self.sound)

    def light_up(self) -> None:
        """Show for a moment that the pad was played."""
        self.setDown(True)
        self._dark.start()

    def _darken(self) -> None:
        self.setDown(False)

    def sizeHint(self) -> QSize:
        """Return the smallest size: pads share the room that there is."""
        return _SMALLEST

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size."""
        return _SMALLEST

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the key, the waveform and, where there is room for two lines, the name of the sound."""
        if self.sound is None:
            super().paintEvent(event)
            return
        painter, option, colors = QStylePainter(self), QStyleOptionToolButton(), theme.colors()
        self.initStyleOption(option)
        option.text = ""
        painter.drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option)
        small, inner = self._small_font(), self._inner()
        metrics = QFontMetrics(small, self)
        painter.setFont(small)
        painter.setPen(QColor(colors.text))
        for line in reversed(self.name_lines(self.label, self.elision(self))):
            name = QRect(inner.left(), inner.bottom() - metrics.height() + 1, inner.width(), metrics.height())
            painter.drawText(name, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, line)
            inner.setBottom(name.top() - 1)
        key_width = metrics.horizontalAdvance(self.text()) + theme.HALF
        key = QRect(inner.left(), inner.top(), key_width, min(inner.height(), metrics.height()))
        write_line(painter, small, key, self.text(), colors.muted)
        self._thumbnails.request(self.sound)
        peaks = self._thumbnails.peaks(self.sound)
        if peaks is not None:
            color = QColor(colors.accent if self.isDown() else colors.muted)
            draw_waveform(painter, QRectF(inner.adjusted(key_width, 0, 0, 0)), peaks, color)

    def name_lines(self, name: str, mode: Qt.TextElideMode) -> tuple[str, ...]:
        """Return the lines, up to two, that the pad has room for to show a name."""
        metrics, inner = QFontMetrics(self._small_font(), self), self._inner()
        rows = min(2, inner.height() // metrics.height() // 2)
        name = readable(name)
        first_line, name_end = _broken_name(name, metrics, inner.width()) if rows == 2 else ("", name)
        lines = (first_line, metrics.elidedText(name_end, mode, inner.width()))
        return tuple(filter(None, lines)) if rows else ()

    def _inner(self) -> QRect:
        return self.rect().adjusted(_INSET, _HIGH_INSET, -_INSET, -_HIGH_INSET)

    def _small_font(self) -> QFont:
        small = theme.sized(self.font(), theme.SMALL)
        small.setBold(False)
        return small

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Strike the pad at the press, not at the release: the sound must not be late."""
        super().mousePressEvent(event)
        if event.button() is Qt.MouseButton.LeftButton:
            self._pressed_at = event.position() if self.sound is not None else None
            self._press()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Begin a drag when the mouse has gone far enough with its button down."""
        super().mouseMoveEvent(event)
        if self._pressed_at is None or self.sound is None:
            return
        if (event.position() - self._pressed_at).manhattanLength() >= QApplication.startDragDistance():
            self._pressed_at = None
            self.setDown(False)
            self._let_go()  # the release goes to where it is dropped
            self._drag(self.sound)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Release the pad."""
        super().mouseReleaseEvent(event)
        if event.button() is Qt.MouseButton.LeftButton:
            self._pressed_at = None
            self._let_go()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Strike or empty the pad, or change its group."""
        key = event.key()
        if key in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if not event.isAutoRepeat():
                self._press()
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.sound_given.emit(None)
        elif key == Qt.Key.Key_G and self.sound is not None:
            self.group_chosen.emit((self.choke_group + 1) % (GROUPS + 1))
        elif key in _MOVES and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self.move_requested.emit(*_MOVES[Qt.Key(key)])
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Release the pad."""
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if not event.isAutoRepeat():
                self._let_go()
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Release the pad: whoever has the focus now gets the release of the key."""
        super().focusOutEvent(event)
        self._let_go()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer the choke groups, and to empty the pad."""
        menu = QMenu(self)
        menu.setObjectName("padMenu")
        for group in range(GROUPS + 1):
            text = self.tr("Choke group {0}").format(group) if group else self.tr("No choke group")
            action = menu.addAction(text, partial(self.group_chosen.emit, group))
            action.setCheckable(True)
            action.setChecked(group == self.choke_group)
            action.setToolTip(self.tr("Pads of one group end each other, as an open and a closed hi-hat do."))
        menu.addSeparator()
        menu.addAction(self.tr("Empty the pad"), lambda: self.sound_given.emit(None)).setEnabled(self.sound is not None)
        menu.setToolTipsVisible(True)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept a sound or another pad; a folder is left to the window, which adds its sounds."""
        if _dragged_file(event) is not None or self._dragged_pad(event) is not None:
            accept_copy(event)

    def dropEvent(self, event: QDropEvent) -> None:
        """Hold the file that is dropped, or change places with the pad that is."""
        file, pad = _dragged_file(event), self._dragged_pad(event)
        if pad is not None:
            accept_copy(event)
            self.pad_dropped.emit(pad.number)
        elif file is not None:
            accept_copy(event)
            self.sound_given.emit(file)

    def _dragged_pad(self, event: QDropEvent) -> "Pad | None":
        source = event.source()
        return source if isinstance(source, Pad) and source.parent() is self.parent() else None

    def _drag(self, sound: Path) -> None:
        drag = QDrag(self)
        drag.setMimeData(files_as_mime([sound]))
        drag.setPixmap(self.grab())
        drag.setHotSpot(self.rect().center())
        drag.exec(Qt.DropAction.CopyAction)

    def _press(self) -> None:
        self._is_down = True
        self.struck.emit()

    def _let_go(self) -> None:
        if self._is_down:
            self._is_down = False
            self.released.emit()


def _dragged_file(event: QDropEvent) -> Path | None:
    """Return the first sound that is dragged, by its name: the disk may not answer."""
    paths = (Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile())
    return next((path for path in paths if path.suffix.lower() in SOUND_SUFFIXES), None)


def _broken_name(name: str, metrics: QFontMetrics, width: int) -> tuple[str, str]:
    """Break a name behind the last word that fits into a line; one whose first word does not fit is left whole."""
    fitting = next((n for n in range(len(name), 0, -1) if metrics.horizontalAdvance(name[:n]) <= width), 0)
    if fitting == len(name):
        return "", name
    behind = max(name.rfind(mark, 0, fitting) + 1 for mark in _WORD_ENDS)
    line_end = max(behind, name.rfind(" ", 0, fitting + 1) + 1)  # the space itself need not fit
    return name[:line_end].rstrip(), name[line_end:].lstrip()
