"""Dragging sounds out of a list as files, into a DAW or a file manager."""

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QAbstractItemView


def file_drag(view: QAbstractItemView) -> QDrag | None:
    """Return what is dragged out of a view: the files of the chosen items; None when none is there any more."""
    data = view.model().mimeData(view.selectedIndexes())
    if not data.urls():
        return None
    drag = QDrag(view)
    drag.setMimeData(data)
    item = view.visualRect(view.currentIndex())
    drag.setPixmap(view.viewport().grab(item))
    drag.setHotSpot(QPoint(min(item.width(), 40) // 2, item.height() // 2))
    return drag


def drag_files(view: QAbstractItemView) -> None:
    """Let the chosen items be dropped as files, in a DAW or a file manager; they are copied, never moved."""
    drag = file_drag(view)
    if drag is not None:
        drag.exec(Qt.DropAction.CopyAction)
