"""The layout of the window: its frame, its pages one behind the other, and the columns of the training page.

The frame is what the first picture on the screen shows, with places for the other panels.
"""

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRect, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QLabel,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from distill.gui.player.toolbar import PlayerToolbar
from distill.gui.sounds.panel import SoundsPanel
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.training.controls import TrainingControls
from distill.gui.widgets import theme
from distill.gui.widgets.focus import give_focus, leave_tab_key_to_bar
from distill.gui.widgets.panel import Panel
from distill.gui.window.top_bar import TRAINING, PageSwitch, TopBar
from distill.settings import WindowSettings

#: Number of the tab with the runs.
RUNS_TAB = 1

#: Smallest widths of the columns, and their shares at a first start, in device-independent pixels at the usual text
#: size.
SMALLEST_COLUMNS, COLUMNS = (330, 370, 270), (400, 560, 300)

#: Number of the column with the plots.
PLOTS_COLUMN = 2


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


class TrainingColumns(QSplitter):
    """Holds the columns of the training page, each with its width.

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


class Frame(QWidget):
    """Holds the list of sounds, the controls, the player and the head, and places the panels that come later.

    Parameters
    ----------
    window
        The window; its menu bar takes the head.
    """

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self.thumbnails, self._status = Thumbnails(window), ""
        self.browser, self.controls = SoundsPanel(self.thumbnails), TrainingControls()
        self.transport = PlayerToolbar()
        self.tabs = self._make_tabs()
        self.center = QStackedWidget()
        self.center.addWidget(Panel(""))
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GAP)
        column.addWidget(self.controls)
        column.addWidget(self.center, 1)
        self.splitter = TrainingColumns(self.tabs, middle, Panel(""))
        self.splitter.entrance = self.tabs.tabBar()
        self.pages = Pages(self.splitter, Panel(""), Panel(""))
        self._drop_hint = QLabel(self)
        self._drop_hint.setObjectName("dropHint")
        self._drop_hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._drop_hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._drop_hint.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.GAP, theme.HALF, theme.GAP, theme.GAP)
        layout.setSpacing(theme.GAP)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.transport)
        self.head = TopBar(window, self.pages.switch)
        self.notices = self.head.notices
        if not self.head.is_in_menu_bar:
            layout.insertWidget(0, self.head)
        self.pages.page_changed.connect(lambda _page: self._show_status())

    def show_drop_hint(self, text: str) -> None:
        """Highlight where dragged files would go; an empty text removes the highlight."""
        self._drop_hint.setVisible(bool(text))
        if text:
            target = self.tabs if self.pages.currentIndex() == TRAINING else self.pages
            self._drop_hint.setGeometry(QRect(target.mapTo(self, QPoint(0, 0)), target.size()))
            self._drop_hint.setText(text)
            self._drop_hint.raise_()

    def show_status(self, text: str) -> None:
        """Show the state of a running training on the pages that have no training controls."""
        self._status = text
        self._show_status()

    def _show_status(self) -> None:
        bar = self.controls.progress
        is_shown = self.pages.currentIndex() != TRAINING
        self.head.show_status(self._status if is_shown else "", bar.value() / max(1, bar.maximum()))

    def put_center(self, widget: QWidget) -> None:
        """Put a widget into the middle of the training page, in place of the first one that is there."""
        replace_page(self.center, 0, widget)

    def put_tab(self, number: int, widget: QWidget) -> None:
        """Put a widget into a tab at the left, in place of the one that is there."""
        tabs = self.tabs
        current, before = tabs.currentIndex(), tabs.widget(number)
        text, tip = tabs.tabText(number), tabs.tabToolTip(number)
        tabs.removeTab(number)
        if before is not None:
            before.deleteLater()
        tabs.insertTab(number, widget, text)
        tabs.setTabToolTip(number, tip)
        tabs.setCurrentIndex(current)

    def restore(self, settings: WindowSettings) -> None:
        """Set up what is there before the other panels."""
        self.splitter.restore(settings.columns)
        self.tabs.setCurrentIndex(min(max(settings.side_tab, 0), self.tabs.count() - 1))
        self.pages.show_page(settings.page)
        self.transport.show_volume(settings.volume)
        self.transport.show_can_play(False)
        if settings.sounds:
            self.browser.show_scanning()

    def save(self, settings: WindowSettings) -> None:
        """Write into ``settings`` what `restore` should find."""
        settings.columns = self.splitter.widths()
        settings.side_tab, settings.page = self.tabs.currentIndex(), self.pages.currentIndex()

    def _make_tabs(self) -> QTabWidget:
        tabs = QTabWidget()
        tabs.setObjectName("sideTabs")
        tabs.tabBar().setAccessibleName(self.tr("Sounds and runs"))
        leave_tab_key_to_bar(tabs)
        tabs.setDocumentMode(True)
        tabs.addTab(self.browser, self.tr("Sounds"))
        tabs.addTab(Panel(""), self.tr("Runs"))
        tabs.setTabToolTip(0, self.tr("The sounds to train on."))
        tabs.setTabToolTip(1, self.tr("All earlier runs: view one again, or resume it."))
        self.browser.title.hide()  # the tab has the same text
        return tabs
