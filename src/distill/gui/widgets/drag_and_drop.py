"""Dragging sounds out of a list as files, into a DAW or a file manager, and what is dropped on the window."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QModelIndex, QPoint, Qt, QUrl
from PySide6.QtGui import QDrag, QDropEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication


def files_as_mime(files: Iterable[Path]) -> QMimeData:
    """Return files as a file manager hands them out.

    The disk is not asked whether they still exist: a share that is gone would freeze the window.  Models leave out
    those that they know to be gone.
    """
    data = QMimeData()
    urls = [QUrl.fromLocalFile(str(path.absolute())) for path in dict.fromkeys(files)]
    if urls:
        data.setUrls(urls)
    return data


def copy_files(files: Iterable[Path]) -> None:
    """Put files on the clipboard, for a file manager or a DAW, and their names as text; nothing without files."""
    data = files_as_mime(files)
    if data.hasUrls():
        data.setText("\n".join(url.toLocalFile() for url in data.urls()))
        QApplication.clipboard().setMimeData(data)


class FileDragModel:
    """Mixin for item models whose items are files: they can be dragged out and are copied, never moved.

    Goes before the Qt class among the bases; the model implements `file_at`.
    """

    def file_at(self, index: QModelIndex) -> Path | None:
        """Return the file of an item, or None where it has none; a model without files has none anywhere."""
        return None

    def supportedDragActions(self) -> Qt.DropAction:
        """Return that items can only be copied."""
        return Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:
        """Return what a file manager and a DAW accept."""
        return ["text/uri-list"]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """Return the files of items, from top left to bottom right."""
        ordered = sorted(indexes, key=lambda index: (index.row(), index.column()))
        return files_as_mime(path for index in ordered if (path := self.file_at(index)) is not None)


def accept_copy(event: QDropEvent) -> None:
    """Accept dragged files as a copy, also where the Shift key proposes to move them: nobody is to delete them."""
    event.setDropAction(Qt.DropAction.CopyAction)
    event.accept()


def dropped_paths(event: QDropEvent) -> list[Path]:
    """Return the files and folders that come from another program; none for what is dragged out of a list of this."""
    if event.source() is not None:  # a generated sound that is dragged out: no training material
        return []
    data = event.mimeData()
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()] if data.hasUrls() else []


def file_drag(view: QAbstractItemView) -> QDrag | None:
    """Return a drag of the files of the selected items; None when none of them has one."""
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
    """Drag the selected items out as files."""
    drag = file_drag(view)
    if drag is not None:
        drag.exec(Qt.DropAction.CopyAction)
