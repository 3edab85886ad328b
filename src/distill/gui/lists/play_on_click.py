"""When a view of sounds plays: at a click, at Enter, and where the cursor stands still after walking."""

from PySide6.QtCore import QElapsedTimer, QModelIndex, QObject, QPersistentModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QAbstractItemView

#: While a key is held down, a sound is played once the cursor has stood still for so long.
_WALK_MILLISECONDS = 120


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
        self._walking = QTimer(self, singleShot=True, interval=_WALK_MILLISECONDS)
        self._walking.timeout.connect(self.ask_current)
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
            self._walking.start(_WALK_MILLISECONDS if event.isAutoRepeat() else 0)

    def cancel_walk(self) -> None:
        """Forget the item that a key has led to, if it has not been asked for yet."""
        self._walking.stop()

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
        self._walking.stop()
        self.asked.emit(index)
