"""What clicks and keys do in a view of sounds: play one, or give it a star.

A sound plays at a click, at Enter, and where the cursor stands still after walking.  A click on a star neither plays
nor selects.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QElapsedTimer, QModelIndex, QObject, QPersistentModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QAbstractItemView

if TYPE_CHECKING:

    class _View(QAbstractItemView):
        """What a view is that `StarClicks` is mixed into."""

        starring_requested: ClassVar[Signal]
        #: Returns the sound whose star is at a position of the viewport, or None.
        starred_at: Callable[[QPoint], object | None]
else:
    _View = object

#: While a key is held down, a sound is played once the cursor has stood still for so long.
_PLAY_AFTER_WALK_MILLISECONDS = 120


class Audition(QObject):
    """Watches the mouse and the keys of a view of sounds, and says which item is to be heard.

    A click that chooses several asks for none, and a double click asks once.

    The view calls `follow_walk`, since only it knows which keys move its cursor.
    """

    asked = Signal(QModelIndex)

    def __init__(self, view: QAbstractItemView) -> None:
        super().__init__(view)
        self._view = view
        self._since_click = QElapsedTimer()
        self._clicked = QPersistentModelIndex()
        self._play_after_walk = QTimer(self, singleShot=True, interval=_PLAY_AFTER_WALK_MILLISECONDS)
        self._play_after_walk.timeout.connect(self.ask_current)
        view.clicked.connect(self._on_clicked)
        view.activated.connect(self._on_activated)

    def ask_current(self) -> None:
        """Ask for the item under the cursor."""
        self._ask(self._view.currentIndex())

    def take_space(self, event: QKeyEvent, is_heard: bool) -> None:
        """Ask for the item under the cursor.  One that is heard already is for the window to stop: it gets the key."""
        if is_heard:
            event.ignore()
        elif not event.isAutoRepeat():
            self.ask_current()

    def follow_walk(self, event: QKeyEvent, before: QModelIndex) -> None:
        """Ask for the item that a key has led to from another: at once, or where a held key comes to rest."""
        if self._view.currentIndex() != before:
            self._play_after_walk.start(_PLAY_AFTER_WALK_MILLISECONDS if event.isAutoRepeat() else 0)

    def cancel_walk(self) -> None:
        """Forget the item that a key has led to, if it has not been asked for yet."""
        self._play_after_walk.stop()

    def _on_clicked(self, index: QModelIndex) -> None:
        self._clicked = QPersistentModelIndex(index)
        self._since_click.start()
        modifiers = QGuiApplication.keyboardModifiers()
        if not modifiers & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier):
            self._ask(index)  # with these keys one chooses several

    def _on_activated(self, index: QModelIndex) -> None:
        interval = QGuiApplication.styleHints().mouseDoubleClickInterval()
        is_double_click = self._since_click.isValid() and self._since_click.elapsed() < interval
        if not (is_double_click and self._clicked == QPersistentModelIndex(index)):  # its first click plays already
            self._ask(index)

    def _ask(self, index: QModelIndex) -> None:
        self._play_after_walk.stop()
        self.asked.emit(index)


class StarClicks(_View):
    """Gives a view of sounds stars to click: such a click neither plays nor selects.

    To be named before the view's class among the bases.  The view has a signal ``starring_requested``, which takes a
    list of sounds, and defines `starred_at`.
    """

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Handle a click on a star: it neither plays nor selects."""
        if self._clicked_star(event) is None:
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Toggle the star if the click is on it."""
        sound = self._clicked_star(event)
        if sound is not None and self.state() == QAbstractItemView.State.NoState:
            self.starring_requested.emit([sound])
        else:
            super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Handle the second click of a double click on a star as a click."""
        if self._clicked_star(event) is None:
            super().mouseDoubleClickEvent(event)

    def _clicked_star(self, event: QMouseEvent) -> object | None:
        is_plain = event.button() == Qt.MouseButton.LeftButton and not event.modifiers()
        return self.starred_at(event.position().toPoint()) if is_plain else None
