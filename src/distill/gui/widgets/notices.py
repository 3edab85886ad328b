"""The notice bar: one sentence at a time, without a dialog."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QEvent, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from distill.gui.widgets import theme
from distill.gui.widgets.background import error_text
from distill.gui.widgets.icons import icon
from distill.gui.widgets.layout import FewLinesLabel
from distill.gui.widgets.text import plain_tip, readable

#: How long a notice without a warning or an action stays.
INFO_SECONDS = 10.0
#: Lines of text that a notice has room for.
LINES = 2

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
    """Shows the newest notice; the others are a click away.  Hidden while there is none.

    It is as high with each notice as with none, so that nothing in the window moves.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("noticeBar")
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        policy.setVerticalPolicy(QSizePolicy.Policy.Fixed)
        self.setSizePolicy(policy)
        self._notices: list[Notice] = []
        self._until: dict[str, float] = {}  # topic of what needs no answer, to the monotonic time at which it goes
        self._clock = QTimer(self, interval=1000)
        self._clock.timeout.connect(self._on_tick)
        self._shown = 0
        self._text = FewLinesLabel(LINES)
        self._text.setObjectName("noticeText")
        self._count = QLabel()
        self._count.setObjectName("muted")
        self._action = QPushButton()
        self._action.setObjectName("noticeAction")
        self._action.setProperty("small", True)
        self._action.clicked.connect(self._on_action)
        self._buttons = {
            "previous": self._button("previousNotice", self.tr("Previous notice"), lambda: self._go(-1)),
            "next": self._button("nextNotice", self.tr("Next notice"), lambda: self._go(1)),
            "close": self._button("dismissNotice", self.tr("Dismiss this notice"), self._dismiss),
        }
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.MARGIN, 1, theme.HALF, 1)
        layout.setSpacing(theme.HALF)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._action)
        layout.addWidget(self._count)
        for button in self._buttons.values():
            layout.addWidget(button)
        self._render()

    @property
    def notices(self) -> tuple[Notice, ...]:
        """The notices that have not been dismissed, oldest first."""
        return tuple(self._notices)

    def text(self) -> str:
        """The sentence on display."""
        return self._notices[self._shown].message if self._notices else ""

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
        self._shown = len(self._notices) - 1
        self._render()

    def notify_error(self, topic: str, error: BaseException, text: str = "{0}") -> None:
        """Show an error that a user can act on; ``text`` is a translated sentence with ``{0}`` for its message."""
        self.notify(topic, text.format(error_text(error)), "error")

    def has(self, topic: str) -> bool:
        """Whether there is a notice on a topic, also behind others."""
        return any(notice.topic == topic for notice in self._notices)

    def forget(self, topic: str) -> None:
        """Remove the notice on a topic, if there is one."""
        shown = self._notices[self._shown] if self._notices else None
        self._notices = [n for n in self._notices if n.topic != topic]
        self._shown = self._notices.index(shown) if shown in self._notices else max(0, len(self._notices) - 1)
        self._render()

    def forget_all(self) -> None:
        """Remove all notices."""
        self._notices = []
        self._until.clear()
        self._clock.stop()
        self._render()

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

    def _go(self, by: int) -> None:
        self._shown = (self._shown + by) % len(self._notices)
        self._render()

    def _dismiss(self) -> None:
        self.forget(self._notices[self._shown].topic)

    def _on_action(self) -> None:
        notice = self._notices[self._shown]
        self.forget(notice.topic)
        if notice.action is not None:
            notice.action.do()

    def _on_tick(self) -> None:
        now = time.monotonic()
        for topic in [t for t, end in self._until.items() if end <= now]:
            del self._until[topic]
            self.forget(topic)
        if not self._until:
            self._clock.stop()

    def _render(self) -> None:
        self.setVisible(bool(self._notices))
        if not self._notices:
            return
        self._shown = min(self._shown, len(self._notices) - 1)
        notice = self._notices[self._shown]
        self._text.setText(notice.message)
        self._action.setVisible(notice.action is not None)
        self._action.setText(notice.action.text if notice.action is not None else "")
        self._action.setAccessibleName(self._action.text())
        self._action.setToolTip(plain_tip(notice.message) if notice.action is not None else "")
        self.setAccessibleName(self.tr("Notice"))
        self.setAccessibleDescription(notice.message)
        several = len(self._notices) > 1
        self._count.setVisible(several)
        self._count.setText(self.tr("{0} of {1}").format(self._shown + 1, len(self._notices)))
        self._buttons["previous"].setVisible(several)
        self._buttons["next"].setVisible(several)
        theme.mark(self, "level", notice.level)
        self._draw_icons()

    def _draw_icons(self) -> None:
        for name, button in self._buttons.items():
            button.setIcon(icon(name, theme.colors().text))
