"""The row at the top of the window: menus, notices, the state of the training, and the switch between the pages.

The progress of the training is shown under the button of its page.
"""

from functools import partial

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QMainWindow, QSizePolicy, QStyle, QToolButton, QWidget

from distill.gui.widgets import theme
from distill.gui.widgets.labels import ElidedLabel
from distill.gui.widgets.notices import NoticeBar

#: Width of the state of the training, in device-independent pixels.
STATUS_WIDTH = 300
#: Narrowest notice beside the state of the training.  In a narrower window it covers the state, whose progress stays
#: visible under the switch.
NARROWEST_NOTICE = 420

#: What changes the room that there is.
_MOVES = (
    QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show, QEvent.Type.LayoutRequest, QEvent.Type.ActionAdded,
    QEvent.Type.ActionRemoved, QEvent.Type.StyleChange,
)  # fmt: skip

#: Page numbers, in display order.
TRAINING, MODELS, PLAY = 0, 1, 2
#: Distance of a line of progress from the sides of its button, and from its lower edge, in device-independent pixels.
_LINE_MARGIN, _LINE_BELOW = 14, 5


class _PageButton(QToolButton):
    """A button of the switch; a line under its text shows the progress of what runs on its page."""

    page_progress: float | None = None

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the button and the line."""
        super().paintEvent(event)
        if self.page_progress is not None:
            page_line = QRectF(self.rect()).adjusted(_LINE_MARGIN, 0, -_LINE_MARGIN, 0)
            page_line.setTop(page_line.bottom() - _LINE_BELOW)
            page_line.setHeight(2)
            painter = QPainter(self)
            painter.fillRect(page_line, QColor(theme.colors().border_strong))
            page_line.setWidth(page_line.width() * min(1.0, self.page_progress))
            painter.fillRect(page_line, QColor(theme.colors().accent))


class PageSwitch(QWidget):
    """Shows which page is open, and emits the one that the user chooses."""

    page_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pageSwitch")
        self.setAccessibleName(self.tr("Pages"))
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for page, name, text, tip in (
            (TRAINING, "trainingPageButton", self.tr("Training"), self.tr("Choose sounds and train a model on them.")),
            (
                MODELS,
                "modelsPageButton",
                self.tr("Models"),
                self.tr("All models that you keep, and what they sound like."),
            ),
            (
                PLAY,
                "playPageButton",
                self.tr("Play"),
                self.tr("Play the chosen model: map, sliders, pads."),
            ),
        ):
            button = _PageButton()
            button.setObjectName(name)
            button.setText(text)
            button.setAccessibleName(text)
            button.setToolTip(tip)
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.setProperty("segment", True)
            self._group.addButton(button, page)
            row.addWidget(button)
        self._group.button(TRAINING).setChecked(True)
        self._group.idClicked.connect(self.page_chosen)

    def show_page(self, page: int) -> None:
        """Show that a page is open."""
        self._group.button(page).setChecked(True)

    def show_progress(self, share: float | None, text: str = "") -> None:
        """Show under *Training* how far the training is, from 0 to 1, and in words; None for no training."""
        button = self._group.button(TRAINING)
        assert isinstance(button, _PageButton)
        if share != button.page_progress:
            button.page_progress = share
            button.update()
        button.setAccessibleDescription(text)


class TopBar(QWidget):
    """Holds the switch and the state of the training, and gives the notices the room that is left beside the menus.

    It lies in the menu bar; where the system shows the menus elsewhere, it is a row of the window.
    """

    def __init__(self, window: QMainWindow, switch: PageSwitch) -> None:
        super().__init__(window)
        self._bar, self._switch = window.menuBar(), switch
        self.is_in_menu_bar = not self._bar.isNativeMenuBar()
        self.status = ElidedLabel()
        self.status.setFixedWidth(STATUS_WIDTH)  # the menu bar does not follow another width
        self.status.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.status.setObjectName("trainingStatus")
        self.status.setAccessibleName(self.tr("State of the training"))
        row = QHBoxLayout(self)
        row.setSpacing(theme.MARGIN)
        self._row: QWidget = self._bar if self.is_in_menu_bar else self
        if self.is_in_menu_bar:
            row.setContentsMargins(0, theme.HALF, theme.GAP, 0)
            row.addWidget(self.status)
            row.addWidget(switch)
            self._bar.setCornerWidget(self)
        else:
            row.setContentsMargins(0, 0, 0, 0)
            row.addWidget(switch)
            row.addWidget(self.status)
            row.addStretch(1)
        self.notices = NoticeBar(window)
        self.notices.changed.connect(self._place_notices)
        for widget in {self._row, self}:
            widget.installEventFilter(self)

    def show_status(self, text: str, share: float) -> None:
        """Show the state of a training, and its progress from 0 to 1; an empty text for no training."""
        self.status.setText(text)
        self._switch.show_progress(share if text else None, text)
        self._place_notices()

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Place the notices anew when the row has changed."""
        if event.type() in _MOVES:
            self._place_notices()
        return False

    def _place_notices(self) -> None:
        """Give the notices the room between the menus, the state of the training, and the switch.

        It is found as for reading from the left, and mirrored where the window is.
        """
        row, window = self._row, self.window()
        mirrored = partial(QStyle.visualRect, self.layoutDirection(), row.rect())
        left, right = theme.GAP, row.width() - theme.GAP
        status = self.status.geometry() if self.status.text() else QRect()
        corner = QPoint(right, 0)
        if row.isAncestorOf(self._switch):
            corner = mirrored(QRect(self._switch.mapTo(row, QPoint(0, 0)), self._switch.size())).topLeft()
        if self.is_in_menu_bar:
            menus = [mirrored(self._bar.actionGeometry(action)) for action in self._bar.actions()]
            left += max((menu.right() for menu in menus), default=0)
            right = corner.x() - theme.GAP
            if right - left - status.width() >= NARROWEST_NOTICE:
                right -= status.width() + theme.MARGIN * bool(status.width())
        else:
            left = corner.x() + self._switch.width() + theme.MARGIN
            if right - left - status.width() >= NARROWEST_NOTICE:
                left += status.width()
        height = self.notices.sizeHint().height()
        middle = corner.y() + self._switch.height() // 2
        area = QRect(left, middle - height // 2, max(0, right - left), height)
        self.notices.setGeometry(mirrored(area).translated(row.mapTo(window, QPoint(0, 0))))
        self.notices.raise_()
