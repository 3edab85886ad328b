"""Tells of a newer version, if the user has agreed to look for one."""

import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtWidgets import QWidget

from distill import __version__, updates
from distill.gui.background_tasks import BackgroundTask, end_tasks
from distill.gui.widgets.notices import NoticeAction, NoticeBar
from distill.gui.window_part import WindowPart
from distill.settings import WindowSettings

#: Topic of its notices.
TOPIC = "updates"


class UpdatePresenter(WindowPart, QObject):
    """Owns the entry of the Help menu, and asks in the background.

    The entry is hidden where this build names no repository: there is then nothing to ask.
    """

    #: The user has switched it on or off.
    changed = Signal()

    def __init__(self, notices: NoticeBar, window: QWidget) -> None:
        super().__init__(window)
        self._notices = notices
        self._repository = ""
        self.action = QAction(self.tr("Look for a newer version once a day"), self)
        self.action.setCheckable(True)
        self.action.setVisible(False)
        self.action.triggered.connect(self._on_triggered)

    def restore(self, settings: WindowSettings) -> None:
        """Set the entry as it was."""
        self.action.setChecked(settings.looks_for_updates)

    def save(self, settings: WindowSettings) -> None:
        """Keep whether the user has agreed."""
        settings.looks_for_updates = self.action.isChecked()

    def close(self) -> None:
        """Give up a request."""
        end_tasks(self)

    def start(self) -> None:
        """Find out in the background where to ask; then ask, if the user has agreed."""

        def work(_progress: Callable[[Any], None], _cancel: threading.Event) -> str:
            return updates.repository()

        task = BackgroundTask(work, self)
        task.succeeded.connect(self._on_repository_found)
        task.start()

    def _on_repository_found(self, name: str) -> None:
        self._repository = name
        self.action.setVisible(bool(name))
        self._look()

    def _look(self) -> None:
        name = self._repository
        if not (name and self.action.isChecked()):
            return

        def work(_progress: Callable[[Any], None], cancel: threading.Event) -> str | None:
            return updates.newer_version(updates.feed_address(name), cancel)

        task = BackgroundTask(work, self)
        task.succeeded.connect(self._on_answered)
        task.start()

    def _on_triggered(self, is_on: bool) -> None:
        if is_on:
            text = self.tr(
                "When it starts, at most once a day, Distill asks github.com for the newest version. "
                "Nothing else is sent."
            )
            self._notices.notify(TOPIC, text, "info")
            self._look()
        else:
            self._notices.forget(TOPIC)
        self.changed.emit()

    def _on_answered(self, version: str | None) -> None:
        if version is not None and self.action.isChecked():
            text = self.tr("Distill {0} is available. You have {1}.").format(version, __version__)
            self._notices.notify(TOPIC, text, "info", NoticeAction(self.tr("Open the page"), self._open_page))

    def _open_page(self) -> None:
        QDesktopServices.openUrl(QUrl(updates.download_page(self._repository)))
