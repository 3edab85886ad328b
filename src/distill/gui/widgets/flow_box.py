"""A row of widgets that wraps where its width ends.

`FlowBox` is a widget and not a `QLayout`: PySide identifies a layout item by its address alone and takes a new item for
one that C++ has deleted.  A layout written in Python, which must keep its items, then asks a deleted one for its size,
and the process crashes.  superqt's flow layout is such a layout.
"""

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget


class FlowBox(QWidget):
    """Rows of widgets in their own sizes, left to right; hidden ones take no room.

    Parameters
    ----------
    gap, row_gap
        Between two widgets of a row, and between two rows, in device-independent pixels.
    """

    def __init__(self, gap: int, row_gap: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._widgets: list[QWidget] = []
        self._gap, self._row_gap = gap, row_gap
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def addWidget(self, widget: QWidget) -> None:
        """Take a widget, last."""
        is_hidden = widget.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide) and widget.isHidden()
        widget.setParent(self)
        widget.setVisible(not is_hidden)
        self._widgets.append(widget)
        self.updateGeometry()

    def hasHeightForWidth(self) -> bool:
        """Whether the height follows from the width: it does."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of all rows in this width."""
        return self._arrange(QRect(0, 0, width, 0), is_trial=True)

    def sizeHint(self) -> QSize:
        """Return the size of all widgets in one row."""
        sizes = [_size(w) for w in self._shown()]
        width = sum(s.width() for s in sizes) + self._gap * max(0, len(sizes) - 1)
        return QSize(width, max((s.height() for s in sizes), default=0))

    def minimumSizeHint(self) -> QSize:
        """Return the size of the widest and the highest widget."""
        sizes = [_size(w) for w in self._shown()]
        return QSize(max((s.width() for s in sizes), default=0), max((s.height() for s in sizes), default=0))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the widgets in their places."""
        super().resizeEvent(event)
        self._arrange(self.rect(), is_trial=False)

    def showEvent(self, event: QShowEvent) -> None:
        """Put the widgets in their places: what has changed while the box was hidden sent no LayoutRequest."""
        super().showEvent(event)
        self.updateGeometry()
        self._arrange(self.rect(), is_trial=False)

    def event(self, event: QEvent) -> bool:
        """Put the widgets in their places when one has come, gone, or changed its size."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
            self._arrange(self.rect(), is_trial=False)
        return bool(super().event(event))

    def _shown(self) -> list[QWidget]:
        return [w for w in self._widgets if not w.isHidden()]

    def _arrange(self, rect: QRect, is_trial: bool) -> int:
        """Lay out row by row, each widget in the middle of its row's height; return the height of all rows."""
        rows: list[list[tuple[QWidget, QSize]]] = [[]]
        row_width_left = rect.width()
        for widget in self._shown():
            size = _size(widget)
            if rows[-1] and size.width() > row_width_left:
                rows.append([])
                row_width_left = rect.width()
            rows[-1].append((widget, size))
            row_width_left -= size.width() + self._gap
        y = rect.y()
        for row in rows:
            height = max((size.height() for _, size in row), default=0)
            x = rect.x()
            for widget, wanted in row:
                size = wanted.boundedTo(QSize(rect.width(), height))
                if not is_trial:
                    widget.setGeometry(QRect(QPoint(x, y + (height - size.height()) // 2), size))
                x += size.width() + self._gap
            y += height + self._row_gap
        return y - rect.y() - self._row_gap


def _size(widget: QWidget) -> QSize:
    """Return the size that a widget gets in a row: what it asks for, within its own limits."""
    return widget.sizeHint().expandedTo(widget.minimumSizeHint()).expandedTo(widget.minimumSize()).boundedTo(
        widget.maximumSize()
    )  # fmt: skip
