"""Keys that work in the whole window, wherever the focus is, unless what has the focus uses them itself.

A shortcut would take Space from buttons, lists and text fields.  A key that they do not use, however, is handed up
from parent to parent until it reaches the window, and that is where it is caught.
"""

from collections.abc import Callable, Mapping

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget


class PlayerKeys(QObject):
    """Does something for keys that nobody in the window has taken."""

    def __init__(self, window: QWidget, actions: Mapping[Qt.Key, Callable[[], object]]) -> None:
        super().__init__(window)
        self._actions = dict(actions)
        window.installEventFilter(self)

    def eventFilter(self, _window: QObject, event: QEvent) -> bool:
        """Take the keys; a key that is held counts once."""
        if event.type() is not QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        if event.modifiers() != Qt.KeyboardModifier.NoModifier:
            return False
        action = self._actions.get(Qt.Key(event.key()))
        if action is None:
            return False
        if not event.isAutoRepeat():
            action()
        return True
