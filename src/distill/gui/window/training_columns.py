"""The three columns of the training page, and how wide each is."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QSplitter, QWidget

from distill.gui.widgets import theme

#: Smallest widths of the columns, and their shares at a first start, in device-independent pixels at the usual text
#: size.
SMALLEST_COLUMNS, COLUMNS = (330, 370, 270), (400, 560, 300)

#: Number of the column with the plots.
PLOTS_COLUMN = 2


class TrainingColumns(QSplitter):
    """Holds the columns.

    They keep the widths that they were restored to until they are seen: a page that is hidden has another width.
    """

    #: Where the keyboard is when the page is opened; see `distill.gui.widgets.focus.give_focus`.
    entrance: QWidget
    _restored: Sequence[int] | None = None

    def __init__(self, *columns: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setHandleWidth(theme.GAP)
        self.setChildrenCollapsible(False)
        for number, widget in enumerate(columns):
            self.put(number, widget)
        self.setSizes(list(map(theme.roomy, COLUMNS)))

    def put(self, number: int, widget: QWidget) -> None:
        """Put a widget into a column, in place of the one that is there."""
        widget.setMinimumWidth(theme.roomy(SMALLEST_COLUMNS[number]))
        if number < self.count():
            if (before := self.replaceWidget(number, widget)) is not None:
                before.deleteLater()
        else:
            self.addWidget(widget)
        self.setStretchFactor(number, COLUMNS[number])

    def restore(self, widths: Sequence[int]) -> None:
        """Have these widths; others than one for each column are ignored."""
        if len(widths) != len(COLUMNS):
            return
        self.setSizes(widths)
        self._restored = None if self.isVisible() else widths

    def widths(self) -> list[int]:
        """Return the widths to restore the next time."""
        return self.sizes() if self._restored is None else list(self._restored)

    def showEvent(self, event: QShowEvent) -> None:
        """Divide the width that the page has now."""
        super().showEvent(event)
        restored, self._restored = self._restored, None
        if restored is not None:
            self.setSizes(restored)
