"""What panels are made of: the titled frame, and a column that scrolls."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from distill.gui.widgets import theme

#: Height of a panel's header at the usual text size: that of a button in it.
HEADER_HEIGHT = 28


class Panel(QFrame):
    """A titled pane.  ``header`` takes what belongs beside the title, ``body`` the content."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAccessibleName(title)
        self.title = QLabel(title)
        self.title.setObjectName("panelTitle")
        self.detail = QLabel()
        self.detail.setObjectName("muted")
        self.header = QHBoxLayout()
        self.title.setMinimumHeight(theme.roomy(HEADER_HEIGHT))  # titles of neighbours stand on one line
        self.header.setSpacing(theme.GAP)
        self.header.addWidget(self.title)
        self.header.addStretch(1)
        self.header.addWidget(self.detail)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(theme.MARGIN, theme.GAP, theme.MARGIN, theme.MARGIN)
        self.body.setSpacing(theme.GAP)
        self.body.addLayout(self.header)


class PanelScrollArea(QScrollArea):
    """Widgets below each other that scroll together; ``column`` takes them, before its stretch."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("settingArea")
        form = QWidget()
        form.setObjectName("settingForm")
        self.column = QVBoxLayout(form)
        self.column.setContentsMargins(0, 0, theme.GAP, 0)
        self.column.addStretch(1)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(form)
