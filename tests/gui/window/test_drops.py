"""Files that are dropped on the window: whose they are, and that they are never moved."""

from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QWidget

from distill.gui.window.main_window import MainWindow

BOTH = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
LEFT, SHIFT = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier


def files(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def test_files_are_never_moved(window: MainWindow, tmp_path: Path) -> None:
    """With Shift a file manager proposes to move, and deletes what it believes to be moved."""
    data = files(tmp_path / "a.wav")
    for target in (window, window.making.panel.form):
        enter = QDragEnterEvent(QPoint(5, 5), BOTH, data, LEFT, SHIFT)
        drop = QDropEvent(QPointF(5, 5), BOTH, data, LEFT, SHIFT)
        for event in (enter, drop):
            event.setDropAction(Qt.DropAction.MoveAction)
        target.dragEnterEvent(enter)
        target.dropEvent(drop)
        for event in (enter, drop):
            assert event.isAccepted()
            assert event.dropAction() is Qt.DropAction.CopyAction


def test_files_dropped_on_a_text_field_are_for_the_window(window: MainWindow) -> None:
    """A folder on the name of the run would become the name of the run."""
    window.advanced.setVisible(True)
    fields: list[QWidget] = [*window.findChildren(QLineEdit), *window.findChildren(QPlainTextEdit)]
    assert {"runNameField", "modelName", "modelTags", "modelNotes"} <= {field.objectName() for field in fields}
    assert [field.objectName() for field in fields if field.acceptDrops()] == []


def test_what_is_dragged_past_the_form_leaves_it_as_it_was(window: MainWindow, tmp_path: Path) -> None:
    panel = window.making.panel
    data = files(tmp_path / "a.wav")
    panel.form.dragEnterEvent(QDragEnterEvent(QPoint(5, 5), BOTH, data, LEFT, Qt.KeyboardModifier.NoModifier))
    assert panel.modes[1].isChecked()
    panel.form.dragLeaveEvent(QDragLeaveEvent())
    assert panel.modes[0].isChecked()
    panel.form.dropEvent(QDropEvent(QPointF(5, 5), BOTH, data, LEFT, Qt.KeyboardModifier.NoModifier))
    assert panel.modes[1].isChecked()
    assert panel.transform.sources == (tmp_path / "a.wav",)
