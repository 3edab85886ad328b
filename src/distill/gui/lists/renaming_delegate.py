"""Edits the name of a row in place."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex
from PySide6.QtWidgets import QLineEdit, QStyledItemDelegate, QStyleOptionViewItem, QWidget

AnyIndex = QModelIndex | QPersistentModelIndex


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
