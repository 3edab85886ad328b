"""Buttons that ignore the second click of a double click."""

from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import (
    QPushButton,
    QToolButton,
)


class ActionButton(QPushButton):
    """A button that ignores the second click of a double click: by then it means something else."""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Ignore."""
        event.accept()


class ActionToolButton(QToolButton):
    """A tool button that ignores the second click of a double click."""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Ignore."""
        event.accept()
