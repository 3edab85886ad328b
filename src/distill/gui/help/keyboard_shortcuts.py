"""Keyboard shortcuts of the window: collects those of the menus and panels, and lists them in a dialog.

A widget that handles keys itself returns them from a method ``key_group``.  So the list of keys follows the menus and
panels by itself.  The dialog is that of Help, Keyboard shortcuts, and has a search field.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLineEdit,
    QMenu,
    QMenuBar,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from distill.gui.widgets import theme

#: Size of the dialog when it opens, in device-independent pixels.
FIRST_SIZE = (560, 560)


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
    key_helps = []
    for action in actions:
        text, _, keys_in_text = action.text().partition("\t")
        sequences = [s for s in action.shortcuts() if _is_on_keyboard(s)]
        keys = tuple(s.toString(QKeySequence.SequenceFormat.NativeText) for s in sequences)
        keys = tuple(dict.fromkeys((*(native(keys_in_text) if keys_in_text else ()), *keys)))
        if keys:
            key_helps.append(KeyHelp(keys, plain(text)))
    return tuple(key_helps)


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


class ShortcutsDialog(QDialog):
    """Lists keys by menu and by panel."""

    def __init__(self, groups: Sequence[KeyGroup], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("shortcutsDialog")
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.filter = QLineEdit()
        self.filter.setObjectName("shortcutFilter")
        self.filter.setAccessibleName(self.tr("Filter shortcuts"))
        self.filter.setPlaceholderText(self.tr("Filter by what it does, or by key"))
        self.filter.setToolTip(self.tr("Show the shortcuts that hold each of these words."))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._on_filter_changed)
        #: The headings, and the lines under each.
        self.groups: list[tuple[QTreeWidgetItem, list[QTreeWidgetItem]]] = []
        self.tree = self._make_tree(groups)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        close = buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setObjectName("closeButton")
        close.setToolTip(self.tr("Back to the window (Esc)."))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.MARGIN, theme.MARGIN, theme.MARGIN, theme.MARGIN)
        layout.setSpacing(theme.GAP)
        layout.addWidget(self.filter)
        layout.addWidget(self.tree, 1)
        layout.addWidget(buttons)
        self.resize(*FIRST_SIZE)

    def _make_tree(self, groups: Sequence[KeyGroup]) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setObjectName("shortcutList")
        tree.setAccessibleName(self.tr("Keyboard shortcuts"))
        tree.setToolTip(self.tr("The keys of a panel work while it has the focus; those of the menus everywhere."))
        tree.setColumnCount(2)
        tree.setHeaderHidden(True)
        tree.setRootIsDecorated(False)
        tree.setIndentation(theme.GAP)
        tree.setSelectionMode(QTreeWidget.SelectionMode.SingleSelection)
        header = tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        for group in groups:
            top = QTreeWidgetItem(tree, [group.title])
            font = top.font(0)
            font.setBold(True)
            top.setFont(0, font)
            top.setFirstColumnSpanned(True)
            lines = [[entry.text, self.tr(" or ").join(entry.keys)] for entry in group.entries]
            self.groups.append((top, [QTreeWidgetItem(top, line) for line in lines]))
            top.setExpanded(True)
        return tree

    def _on_filter_changed(self, text: str) -> None:
        words = text.casefold().split()
        for top, children in self.groups:
            shown_keys = 0
            for child in children:
                line = f"{child.text(0)} {child.text(1)}".casefold()
                child.setHidden(not all(word in line for word in words))
                shown_keys += not child.isHidden()
            top.setHidden(not shown_keys)
