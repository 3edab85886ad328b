"""The notice bar: one sentence at a time, without a dialog; a list shows all of them in full."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QEvent, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QCloseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from distill.gui.user_errors import error_text
from distill.gui.widgets import theme
from distill.gui.widgets.buttons import ActionButton
from distill.gui.widgets.icons import icon
from distill.gui.widgets.labels import FewLinesLabel
from distill.gui.widgets.panel import PanelScrollArea
from distill.gui.widgets.plain_text import plain_tip, readable

#: How long a notice without a warning or an action stays.
INFO_SECONDS = 10.0
#: Lines of text that a notice has room for.
LINES = 2
#: Width of the list of all notices, and its greatest height as a share of the window's.
LIST_WIDTH, LIST_SHARE = 480, 0.7

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class NoticeAction:
    """A button of a notice; clicking it removes the notice."""

    text: str
    do: Callable[[], object]


@dataclass(frozen=True)
class Notice:
    """A sentence for the user.  A newer one on the same topic replaces it."""

    topic: str
    message: str
    level: Level
    action: NoticeAction | None = None


class NoticeBar(QFrame):
    """Shows the newest notice; all of them, in full, are a click away.  Hidden while there is none.

    It has no place in a layout: whoever owns it gives it one that is free anyway, so that nothing moves.
    """

    #: There are other notices than before.
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("noticeBar")
        self._notices: list[Notice] = []
        self._until: dict[str, float] = {}  # topic of what needs no answer, to the monotonic time at which it goes
        self._clock = QTimer(self, interval=1000)
        self._clock.timeout.connect(self._on_tick)
        self._list: _NoticeList | None = None
        self._text = FewLinesLabel(LINES)
        self._text.setObjectName("noticeText")
        self._text.elided.connect(self._show_rest)
        self._action = ActionButton()  # the next notice may have an action, too
        self._action.setObjectName("noticeAction")
        self._action.setProperty("small", True)
        self._action.clicked.connect(self._on_action)
        self._all = self._button("allNoticesButton", "", self.show_all)
        self._all.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        size_policy = self._all.sizePolicy()
        size_policy.setRetainSizeWhenHidden(True)  # whether the text fits must not depend on it
        self._all.setSizePolicy(size_policy)
        self._close = self._button("dismissNotice", self.tr("Dismiss this notice"), self._dismiss)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.GAP, 1, theme.HALF, 1)
        layout.setSpacing(theme.HALF)
        layout.addWidget(self._text, 1)
        for widget in (self._all, self._action, self._close):
            layout.addWidget(widget)
        self._render()

    @property
    def notices(self) -> tuple[Notice, ...]:
        """The notices that have not been dismissed, oldest first."""
        return tuple(self._notices)

    def text(self) -> str:
        """The sentence on display."""
        return self._notices[-1].message if self._notices else ""

    def notify(self, topic: str, message: str, level: Level = "warning", action: NoticeAction | None = None) -> None:
        """Show a notice; it replaces an older one on the same topic.

        Information without an action disappears by itself after `INFO_SECONDS`.
        """
        self._until.pop(topic, None)
        if level == "info" and action is None:
            self._until[topic] = time.monotonic() + INFO_SECONDS
            self._clock.start()
        self._notices = [n for n in self._notices if n.topic != topic]
        self._notices.append(Notice(topic, readable(message), level, action))
        self._render()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, self.text()))

    def notify_error(self, topic: str, error: BaseException, text: str = "{0}") -> None:
        """Show an error that a user can act on; ``text`` is a translated sentence with ``{0}`` for its message."""
        self.notify(topic, text.format(error_text(error)), "error")

    def has(self, topic: str) -> bool:
        """Whether there is a notice on a topic, also behind others."""
        return any(notice.topic == topic for notice in self._notices)

    def forget(self, topic: str) -> None:
        """Remove the notice on a topic, if there is one."""
        if self.has(topic):
            self._notices = [n for n in self._notices if n.topic != topic]
            self._render()

    def forget_all(self) -> None:
        """Remove all notices."""
        self._notices = []
        self._until.clear()
        self._clock.stop()
        self._render()

    def show_all(self) -> None:
        """List all notices in full, the newest first, until something else is clicked."""
        if not self._notices or self._list is not None:
            return
        notice_list = _NoticeList(self)
        notice_list.chosen.connect(self._answer)
        notice_list.dismissed.connect(self.forget)
        notice_list.closed.connect(self._on_list_closed)
        self._list = notice_list
        notice_list.show_notices(self._notices)
        notice_list.show()

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icons in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._draw_icons()

    def _button(self, object_name: str, name: str, action: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setObjectName(object_name)
        button.setAccessibleName(name)
        button.setToolTip(name)
        button.clicked.connect(action)
        return button

    def _dismiss(self) -> None:
        self.forget(self._notices[-1].topic)

    def _on_action(self) -> None:
        self._answer(self._notices[-1])

    def _answer(self, notice: Notice) -> None:
        if self._list is not None:
            self._list.close()
        self.forget(notice.topic)
        if notice.action is not None:
            notice.action.do()

    def _on_list_closed(self) -> None:
        self._list = None

    def _on_tick(self) -> None:
        if self._list is not None:  # it is being read
            return
        now = time.monotonic()
        for topic in [t for t, end in self._until.items() if end <= now]:
            del self._until[topic]
            self.forget(topic)
        if not self._until:
            self._clock.stop()

    def _render(self) -> None:
        self.setVisible(bool(self._notices))
        self.setEnabled(bool(self._notices))  # which the menu follows
        if self._list is not None:
            self._list.show_notices(self._notices)
        if self._notices:
            self._show_newest(self._notices[-1])
        self.changed.emit()

    def _show_newest(self, notice: Notice) -> None:
        self._text.setText(notice.message)
        self._action.setVisible(notice.action is not None)
        self._action.setText(notice.action.text if notice.action is not None else "")
        self._action.setAccessibleName(self._action.text())
        self._action.setToolTip(plain_tip(notice.message) if notice.action is not None else "")
        self.setAccessibleName(self.tr("Notice"))
        self.setAccessibleDescription(notice.message)
        count = len(self._notices)
        name = self.tr("Show this notice in full") if count == 1 else self.tr("Show all {0} notices").format(count)
        self._all.setText(str(count) if count > 1 else "")
        self._all.setAccessibleName(name)
        self._all.setToolTip(name)
        self._show_rest()
        theme.set_style_property(self, "level", notice.level)
        self._draw_icons()

    def _show_rest(self) -> None:
        """Offer the list where there is more than what is seen."""
        self._all.setVisible(len(self._notices) > 1 or self._text.is_elided)

    def _draw_icons(self) -> None:
        self._all.setIcon(icon("down", theme.colors().text))
        self._close.setIcon(icon("close", theme.colors().text))


class _NoticeList(QFrame):
    """Lists notices in full below their bar, over everything else, until Escape or a click elsewhere."""

    chosen = Signal(object)  # Notice
    dismissed = Signal(str)  # topic
    closed = Signal()

    def __init__(self, bar: QWidget) -> None:
        super().__init__(bar, Qt.WindowType.Popup)
        self.setObjectName("noticeList")
        self.setAccessibleName(self.tr("All notices"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAttribute(Qt.WidgetAttribute.WA_NoMouseReplay)  # a click on the bar's button would open it again
        self._bar, self._rows = bar, QWidget()
        self._listed: dict[str, Notice] = {}
        self._area = PanelScrollArea()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.GAP, theme.GAP, theme.HALF, theme.GAP)
        layout.addWidget(self._area)
        self._area.column.insertWidget(0, self._rows)

    def show_notices(self, notices: Sequence[Notice]) -> None:
        """List notices, the newest first; without any, the list closes."""
        if not notices:
            self.close()
            return
        before = self.focusWidget()
        wanted = (before.objectName(), before.property("topic")) if before is not None else None
        self._listed = {notice.topic: notice for notice in notices}
        self._area.column.removeWidget(self._rows)
        self._rows.deleteLater()
        self._rows = QWidget()
        column = QVBoxLayout(self._rows)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GAP)
        rows = [self._row(notice) for notice in reversed(notices)]
        for row in rows:
            column.addWidget(row)
        self._area.column.insertWidget(0, self._rows)
        self._place()
        buttons = (button for row in rows for button in row.findChildren(QPushButton))
        same = (button for button in buttons if (button.objectName(), button.property("topic")) == wanted)
        next(same, rows[0]).setFocus()  # a key that is pressed just now must not answer another notice

    def _row(self, notice: Notice) -> QFrame:
        row = QFrame()
        row.setObjectName("noticeRow")
        row.setProperty("level", notice.level)
        text = QLabel(notice.message)
        text.setTextFormat(Qt.TextFormat.PlainText)
        text.setWordWrap(True)
        text.setMinimumWidth(1)
        dismiss = ActionButton(self.tr("Dismiss"))
        dismiss.setObjectName("dismissListed")
        dismiss.clicked.connect(self._on_dismissed)
        buttons = [dismiss]
        if notice.action is not None:
            action = ActionButton(notice.action.text)
            action.setObjectName("answerListed")
            action.clicked.connect(self._on_chosen)
            buttons.insert(0, action)
        line = QHBoxLayout()
        line.addStretch(1)
        for button in buttons:
            button.setProperty("small", True)
            button.setProperty("topic", notice.topic)
            button.setAccessibleName(self.tr("{0}: {1}").format(button.text(), notice.message))
            button.setToolTip(plain_tip(notice.message))
            line.addWidget(button)
        column = QVBoxLayout(row)
        column.setContentsMargins(theme.MARGIN, theme.GAP, theme.GAP, theme.GAP)
        column.addWidget(text)
        column.addLayout(line)
        row.setFocusProxy(buttons[0])
        return row

    def _on_dismissed(self) -> None:
        self.dismissed.emit(self.sender().property("topic"))

    def _on_chosen(self) -> None:
        self.chosen.emit(self._listed[self.sender().property("topic")])

    def _place(self) -> None:
        """Lie below the bar, as high as the notices are, and within the window."""
        window, bar = self._bar.window(), self._bar
        inner = LIST_WIDTH - 2 * theme.GAP - theme.GAP
        wanted = self._rows.layout().heightForWidth(inner) + 3 * theme.GAP  # type: ignore[union-attr]
        self.resize(LIST_WIDTH, min(wanted, round(LIST_SHARE * window.height())))
        corner = bar.mapToGlobal(QPoint(bar.width() - LIST_WIDTH, bar.height() + theme.HALF))
        left = window.mapToGlobal(QPoint(theme.GAP, 0)).x()
        self.move(max(left, corner.x()), corner.y())

    def closeEvent(self, event: QCloseEvent) -> None:
        """Report that it closes."""
        super().closeEvent(event)
        self.closed.emit()
