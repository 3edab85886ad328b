"""Collects the keys of the window: those of the menus, and those of the panels.

A widget that handles keys itself returns them from a method ``key_group``.  So the list of keys follows the menus and
panels by itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget


@dataclass(frozen=True)
class KeyHelp:
    """What some keys do.

    Attributes
    ----------
    keys
        As the platform writes them, for example ``Ctrl+O``; several are other ways to the same.
    text
        What they do.
    """

    keys: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class KeyGroup:
    """Keys that belong together: those of a menu, or those of a panel while it has the focus."""

    title: str
    entries: tuple[KeyHelp, ...]


def native(*keys: str) -> tuple[str, ...]:
    """Return keys, given as ``Ctrl+O``, as the platform writes them."""
    return tuple(QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in keys)


def _is_on_keyboard(sequence: QKeySequence) -> bool:
    """Return whether a usual keyboard has the key: platforms also bind F14 to Undo, and keys that only media sets have.

    Qt numbers the keys beyond the main block from ``Key_Back`` on.
    """
    key = sequence[0].key() if sequence.count() else Qt.Key.Key_unknown  # type: ignore[index]
    return not (Qt.Key.Key_F13 <= key <= Qt.Key.Key_F35 or key >= Qt.Key.Key_Back)


def help_of_actions(actions: Iterable[QAction]) -> tuple[KeyHelp, ...]:
    """Return the keys of actions that have one.

    A key that is handled elsewhere stands in the text of its action, behind a tab.
    """
    found = []
    for action in actions:
        text, _, shown = action.text().partition("\t")
        sequences = [s for s in action.shortcuts() if _is_on_keyboard(s)]
        keys = tuple(s.toString(QKeySequence.SequenceFormat.NativeText) for s in sequences)
        keys = tuple(dict.fromkeys((*(native(shown) if shown else ()), *keys)))
        if keys:
            found.append(KeyHelp(keys, plain(text)))
    return tuple(found)


def plain(text: str) -> str:
    """Return a label without the mark of its access key, and without the dots that promise a dialog."""
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&").rstrip("…")


def key_groups(bar: QMenuBar, window: QWidget) -> list[KeyGroup]:
    """Return all keys of a window: menu by menu, then panel by panel."""
    groups = []
    for action in bar.actions():
        menu = action.menu()
        if isinstance(menu, QMenu):
            groups.append(KeyGroup(plain(action.text()), help_of_actions(_actions_in(menu))))
    seen = {group.title for group in groups}
    for widget in window.findChildren(QWidget):
        of_widget = getattr(widget, "key_group", None)
        group = of_widget() if callable(of_widget) else None
        if isinstance(group, KeyGroup) and group.title not in seen:
            seen.add(group.title)
            groups.append(group)
    return [group for group in groups if group.entries]


def _actions_in(menu: QMenu) -> Iterator[QAction]:
    for action in menu.actions():
        inner = action.menu()
        if isinstance(inner, QMenu):
            yield from _actions_in(inner)
        elif not action.isSeparator():
            yield action
