"""File, Recent folders: the folders of sounds that were shown lately, newest first."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from distill.gui.background_tasks import BackgroundTask
from distill.gui.widgets.plain_text import plain_tip, readable
from distill.gui.window_part import WindowPart
from distill.settings import WindowSettings

#: How many are remembered.
MOST = 10


class RecentFolders(QObject, WindowPart):
    """Remembers folders.

    One that is missing is not offered, but not forgotten either: it may lie on a disk that is only unplugged.  Whether
    they are there is asked on another thread, because a disk or a server that sleeps takes seconds to answer.
    """

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._folders: list[Path] = []
        self._missing: frozenset[Path] = frozenset()
        self._looking: BackgroundTask | None = None
        self._looks_again = False

    @property
    def all(self) -> tuple[Path, ...]:
        """All that are remembered, newest first."""
        return tuple(self._folders)

    @property
    def shown(self) -> tuple[Path, ...]:
        """Those that were there when they were looked for last."""
        return tuple(folder for folder in self._folders if folder not in self._missing)

    def restore(self, settings: WindowSettings) -> None:
        """Take the folders of the last session."""
        self._folders = list(dict.fromkeys(Path(text) for text in settings.recent))[:MOST]
        self.changed.emit()

    def save(self, settings: WindowSettings) -> None:
        """Keep the folders."""
        settings.recent = [str(path) for path in self._folders]

    def note(self, folders: Iterable[Path]) -> None:
        """Put these to the front."""
        new = list(folders)
        self._folders = list(dict.fromkeys([*new, *self._folders]))[:MOST]
        self._missing -= set(new)
        self.changed.emit()

    def clear(self) -> None:
        """Forget all."""
        self._folders = []
        self.changed.emit()

    def look(self) -> None:
        """Find out which of them are there."""
        self._looks_again = self._looking is not None  # what is under way may have missed what has just changed
        if self._looking is None and self._folders:
            folders = tuple(self._folders)
            self._looking = BackgroundTask(lambda _progress, cancel: _missing(folders, cancel), self)
            self._looking.succeeded.connect(self._on_looked)
            self._looking.finished.connect(self._on_look_ended)
            self._looking.start()

    def _on_looked(self, missing: frozenset[Path]) -> None:
        if missing != self._missing:
            self._missing = missing
            self.changed.emit()

    def _on_look_ended(self) -> None:
        self._looking = None
        if self._looks_again:
            self.look()


class RecentMenu(QMenu):
    """Offers the folders; a number before each is its key."""

    def __init__(self, recent: RecentFolders, show: Callable[[Path], object], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("recentMenu")
        self.setTitle(self.tr("Recent folders"))
        self.setToolTipsVisible(True)
        self._recent, self._show = recent, show
        recent.changed.connect(self._fill)
        self.aboutToShow.connect(recent.look)
        self._fill()

    def _fill(self) -> None:
        self.clear()
        for number, folder in enumerate(self._recent.shown, 1):
            name = readable(folder.name or str(folder)).replace("&", "&&")
            action = QAction(f"&{number % 10}  {name}", self)
            action.setToolTip(plain_tip(str(folder)))
            action.setStatusTip(readable(str(folder)))
            action.triggered.connect(partial(self._on_triggered, folder))
            self.addAction(action)
        if self._recent.all:
            self.addSeparator()
            forget = self.addAction(self.tr("Clear the list"))
            forget.setObjectName("clearRecentAction")
            forget.triggered.connect(self._recent.clear)
        self.menuAction().setEnabled(bool(self._recent.all))

    def _on_triggered(self, folder: Path, _checked: bool = False) -> None:
        self._show(folder)


def _missing(folders: Iterable[Path], cancel: threading.Event) -> frozenset[Path]:
    found = set()
    for folder in folders:
        if cancel.is_set():  # each may take long to answer
            break
        is_there = False
        with suppress(OSError, ValueError):
            is_there = folder.is_dir()
        if not is_there:
            found.add(folder)
    return frozenset(found)
