"""The pages of the window, one behind the other."""

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from distill.gui.widgets.focus import give_focus
from distill.gui.window.page_switch import TRAINING, PageSwitch


def replace_page(stack: QStackedWidget, number: int, widget: QWidget) -> None:
    """Replace a page of a stack; the visible page stays the same."""
    current, before = stack.currentIndex(), stack.widget(number)
    stack.insertWidget(number, widget)
    if before is not None:
        stack.removeWidget(before)
        before.deleteLater()
    stack.setCurrentIndex(current)


class Pages(QStackedWidget):
    """Training, Models and Play, one behind the other, with the switch that belongs to them."""

    page_changed = Signal(int)

    def __init__(self, training: QWidget, models: QWidget, play: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pages")
        self.switch = PageSwitch()
        for page in (training, models, play):
            self.addWidget(page)
        self.switch.page_chosen.connect(self.show_page)
        self.currentChanged.connect(self._on_changed)

    def put(self, page: int, widget: QWidget) -> None:
        """Replace a page."""
        with QSignalBlocker(self):
            replace_page(self, page, widget)

    def show_page(self, page: int) -> None:
        """Show a page; an unknown number shows the first."""
        self.setCurrentIndex(page if 0 <= page < self.count() else TRAINING)

    def open_page(self, page: int) -> None:
        """Show a page and give it the focus."""
        self.show_page(page)
        if (shown := self.currentWidget()) is not None:
            give_focus(shown)

    def _on_changed(self, page: int) -> None:
        self.switch.show_page(page)
        self.page_changed.emit(page)
