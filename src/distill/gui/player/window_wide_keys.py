"""Keys that work in the whole window, wherever the focus is, except in text fields.

Shortcuts would take the keys from text fields and lists.  A key that the focused widget does not use is passed up from
parent to parent to the window, where it is caught.  Buttons, check boxes, menus of choices and sliders do use Space;
there it is caught at the focused widget, and Return presses a button instead.  A widget that plays a sound of its own
says so by an attribute ``plays_itself`` that is true: it keeps Space and Return.
"""

from collections.abc import Callable, Mapping

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QApplication, QComboBox, QTabBar, QWidget

#: Widgets that would use Space themselves.  Lists are not among them: they play the sound under their cursor.
_USE_SPACE = (QAbstractButton, QAbstractSlider, QComboBox, QTabBar)


class PlayerKeys(QObject):
    """Calls a function for each of some keys.

    Parameters
    ----------
    window
        Where the keys work.
    actions
        What each key calls.
    has_sound
        Returns whether there is a sound to play or to stop.  While there is none, Space works as in any window.
    """

    def __init__(
        self,
        window: QWidget,
        actions: Mapping[Qt.Key, Callable[[], object]],
        has_sound: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(window)
        self._window, self._actions, self._has_sound = window, dict(actions), has_sound
        window.installEventFilter(self)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus_changed)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the keys; a key that is held down counts once."""
        if event.type() is not QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return False
        key = Qt.Key(event.key())
        if isinstance(watched, QAbstractButton) and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if not event.isAutoRepeat():  # the next repeat would press the button that has got the focus
                watched.click()
            return True
        action = self._actions.get(key)
        if action is None:
            return False
        if watched is not self._window and (key != Qt.Key.Key_Space or not self._has_sound()):
            return False
        if not event.isAutoRepeat():
            action()
        return True

    def _on_focus_changed(self, before: QWidget | None, now: QWidget | None) -> None:
        if isinstance(before, _USE_SPACE):
            before.removeEventFilter(self)
        if isinstance(now, _USE_SPACE) and now.window() is self._window and not _keeps_space(now):
            now.installEventFilter(self)


def _keeps_space(widget: QWidget) -> bool:
    is_editable = isinstance(widget, QComboBox) and widget.isEditable()
    return is_editable or bool(getattr(widget, "plays_itself", False))
