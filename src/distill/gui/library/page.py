"""The models page: the list, the chosen model, and the widest column for generating with it."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from distill.gui.library.model_detail import ModelDetail
from distill.gui.library.model_list import ModelList
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme

#: Smallest widths of the three columns, and those of a first start; what is added to the window goes to the last one.
SMALLEST, COLUMNS = (250, 240, 400), (260, 290, 700)


class ModelsPage(QWidget):
    """Lays out the list, the chosen model and the panel for generating side by side."""

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
            widget.setMinimumWidth(theme.roomy(SMALLEST[number]))
            self.splitter.addWidget(widget)
            self.splitter.setStretchFactor(number, int(number == len(COLUMNS) - 1))
        self.splitter.setSizes(list(map(theme.roomy, COLUMNS)))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.splitter)
        self.entrance = self.list  #: see `give_focus`

    def add_service(self, panel: QWidget) -> None:
        """Add the panel for generating."""
        self.make_layout.addWidget(panel)
        self.make_area.show()
