"""Lists whose rows a delegate paints: the views, the actions of a row and its menu, and its name edited in place."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    Qt,
)
from PySide6.QtGui import (
    QAction,
    QContextMenuEvent,
    QKeyEvent,
    QKeySequence,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

Model = TypeVar("Model", bound=QAbstractItemModel)
AnyIndex = QModelIndex | QPersistentModelIndex

#: An action of a row: its name in the program, its text, a key, and the function that is called with the item.
RowAction = tuple[str, str, str | None, Callable[[Any], object]]


def source_of(model: Any, kind: type[Model]) -> Model:
    """Return the model of a kind under a view's model: this one, or the source of its proxies."""
    while not isinstance(model, kind):
        model = model.sourceModel()
    return model


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
        """Repaint the rows in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.viewport().update()


class RowView(PaintedRows):
    """A list whose rows have a name to edit and a menu of actions.

    Parameters
    ----------
    kind
        What a row is, for example ``run``: object names of the view's parts begin with it.
    role
        Role under which the model returns the item of a row.
    """

    def __init__(self, kind: str, model: QAbstractItemModel, role: int) -> None:
        super().__init__(model)
        self._kind, self._role = kind, role
        self.setObjectName(f"{kind}List")
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu_requested)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave Space to the window, where it plays and stops."""
        if event.key() == Qt.Key.Key_Space:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def current_item(self) -> Any:
        """Return the item under the cursor, or None."""
        return self.currentIndex().data(self._role)

    def edit_current(self) -> None:
        """Open the editor for the name under the cursor."""
        self.edit(self.currentIndex())

    def offer(self, offered: Iterable[RowAction]) -> dict[str, QAction]:
        """Add actions to the menu of a row; their keys work while the list has the focus."""
        return {name: self._add_row_action(name, text, key, do) for name, text, key, do in offered}

    def _add_row_action(self, name: str, text: str, key: str | None, do: Callable[[Any], object]) -> QAction:
        action = QAction(text, self)
        action.setObjectName(f"{self._kind} {name}")
        if key is not None:
            action.setShortcut(QKeySequence(key))
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.setAutoRepeat(False)  # a key that is held down would delete row after row
        action.triggered.connect(lambda: self._with_current(do))
        self.addAction(action)
        return action

    def _with_current(self, do: Callable[[Any], object]) -> None:
        item = self.current_item()
        if item is not None:
            do(item)

    def _on_menu_requested(self, position: QPoint) -> None:
        index = self.indexAt(position)
        if index.isValid() and self.selectionModel().isSelected(index):  # one of several: they all stay chosen
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
        elif index.isValid():
            self.setCurrentIndex(index)
        if self.current_item() is None:
            return
        menu = QMenu(self)
        menu.setObjectName(f"{self._kind}Menu")
        menu.addActions(self.actions())
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.viewport().mapToGlobal(position))


def set_up_sounds(view: QAbstractItemView) -> None:
    """Let several sounds be chosen in a view and be dragged out of it, and none be edited."""
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    view.setDragEnabled(True)
    view.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
    view.setMouseTracking(True)
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)


def menu_target(view: QAbstractItemView, event: QContextMenuEvent) -> tuple[QModelIndex, QPoint]:
    """Return what a menu is for, by the mouse where it points, by the keyboard at the cursor, and where it opens."""
    if event.reason() == QContextMenuEvent.Reason.Mouse:
        return view.indexAt(view.viewport().mapFromGlobal(event.globalPos())), event.globalPos()
    index = view.currentIndex()
    return index, view.viewport().mapToGlobal(view.visualRect(index).center())


class RenamingDelegate(QStyledItemDelegate):
    """Lets the name of a row be edited in place.  A subclass paints the row.

    Parameters
    ----------
    editor_name, editor_title
        Object name of the editor, and what a screen reader calls it.
    parent
        Qt parent.
    """

    def __init__(self, editor_name: str, editor_title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._editor_name, self._editor_title = editor_name, editor_title

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: AnyIndex) -> QWidget:
        """Create the editor of the name."""
        editor = super().createEditor(parent, option, index)
        editor.setObjectName(self._editor_name)
        editor.setAccessibleName(self._editor_title)
        return editor

    def setEditorData(self, editor: QWidget, index: AnyIndex) -> None:
        """Show the name, but not over one that is being typed: Qt asks for it whenever the row changes."""
        if not (isinstance(editor, QLineEdit) and editor.isModified()):
            super().setEditorData(editor, index)
