"""Lists whose rows paint themselves, and what can be done with a row of them: by a key, and in its menu."""

from collections.abc import Callable, Iterable
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QEvent, QPoint, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QListView, QMenu

#: What can be done with a row: its name in the program, its name on the screen, a key, and what does it to the item.
RowAction = tuple[str, str, str | None, Callable[[Any], object]]


class PaintedRows(QListView):
    """Rows of one height that a delegate paints, in the colours of the theme."""

    def __init__(self, model: QAbstractItemModel) -> None:
        super().__init__()
        self.setModel(model)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)

    def changeEvent(self, event: QEvent) -> None:
        """Paint the rows in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.viewport().update()


class RowView(PaintedRows):
    """A list whose rows have a name to edit, and a menu with all that can be done with one.

    Parameters
    ----------
    kind
        What a row is, for example ``run``: names of the view's parts begin with it.
    role
        Where the model has the item of a row.
    """

    def __init__(self, kind: str, model: QAbstractItemModel, role: int) -> None:
        super().__init__(model)
        self._kind, self._role = kind, role
        self.setObjectName(f"{kind}List")
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu_requested)

    def current_item(self) -> Any:
        """Return the item under the cursor, or None."""
        return self.currentIndex().data(self._role)

    def edit_current(self) -> None:
        """Open the field for the name under the cursor."""
        self.edit(self.currentIndex())

    def offer(self, offered: Iterable[RowAction]) -> dict[str, QAction]:
        """Put into the menu what can be done with a row; the keys work while the list has the focus."""
        return {name: self._add_action(name, text, key, do) for name, text, key, do in offered}

    def _add_action(self, name: str, text: str, key: str | None, do: Callable[[Any], object]) -> QAction:
        action = QAction(text, self)
        action.setObjectName(f"{self._kind} {name}")
        if key is not None:
            action.setShortcut(QKeySequence(key))
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        action.triggered.connect(lambda: self._with_current(do))
        self.addAction(action)
        return action

    def _with_current(self, do: Callable[[Any], object]) -> None:
        item = self.current_item()
        if item is not None:
            do(item)

    def _on_menu_requested(self, position: QPoint) -> None:
        index = self.indexAt(position)
        if index.isValid():
            self.setCurrentIndex(index)
        if self.current_item() is None:
            return
        menu = QMenu(self)
        menu.setObjectName(f"{self._kind}Menu")
        menu.addActions(self.actions())
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.viewport().mapToGlobal(position))
