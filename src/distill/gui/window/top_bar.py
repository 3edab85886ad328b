"""The row at the top of the window: menus, notices, the state of the training, and the switch of the pages.

The menu bar has room between the menus and the switch.  Notices lie there, so that they cover nothing that is worked
with, move nothing, and take no room while there are none.
"""

from functools import partial

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QStyle, QWidget

from distill.gui.widgets import theme
from distill.gui.widgets.labels import ElidedLabel
from distill.gui.widgets.notices import NoticeBar
from distill.gui.window.page_switch import PageSwitch

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
