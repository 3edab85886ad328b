"""The page of the models: the list, the model that is chosen, and what can be made with it."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from distill.gui.library.detail import ModelDetail
from distill.gui.library.list import ModelList
from distill.gui.widgets import theme
from distill.gui.widgets.waveform import Thumbnails

#: Smallest widths of the three columns, and their shares of a first start; the same grid as that of the training.
SMALLEST, COLUMNS = (260, 280, 300), (410, 400, 430)


class ModelsPage(QWidget):
    """Lays the list, the chosen model, and the place for making sound side by side.

    ``make_area`` is that place: it is there while something is in its layout.
    """

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("modelsPage")
        self.setAccessibleName(self.tr("Models"))
        self.list, self.detail = ModelList(), ModelDetail(thumbnails)
        self.make_area = QWidget()
        self.make_area.setObjectName("makeArea")
        self.make_layout = QVBoxLayout(self.make_area)
        self.make_layout.setContentsMargins(0, 0, 0, 0)
        self.make_area.hide()
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(theme.GAP)
        self.splitter.setChildrenCollapsible(False)
        for number, widget in enumerate((self.list, self.detail, self.make_area)):
            widget.setMinimumWidth(SMALLEST[number])
            self.splitter.addWidget(widget)
            self.splitter.setStretchFactor(number, COLUMNS[number])
        self.splitter.setSizes(list(COLUMNS))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.splitter)
        self.setFocusProxy(self.list)

    def add_service(self, panel: QWidget) -> None:
        """Put a panel that makes sound into its place."""
        self.make_layout.addWidget(panel)
        self.make_area.show()
