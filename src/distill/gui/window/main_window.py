"""The main window: its frame first, then the other parts; what is dropped on it.

Panels show data and emit what the user requests; they know neither the engine nor each other.  Presenters carry the
requests out and give the results back.

The window comes in two parts.  The frame (`distill.gui.window.layout`: list of sounds, controls, player) is quick to
build, and is what the first frame on the screen shows.  The rest (`distill.gui.window.composition`) needs pyqtgraph and
most of our own modules, which takes longer than everything before.  ``MainWindow()`` builds both at once;
`distill.gui.app` shows the frame and lets the rest come in a few steps between the first events.
"""

import logging
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QEvent, QObject, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QPaintEvent, QSessionManager
from PySide6.QtWidgets import QApplication, QMainWindow

from distill.gui.widgets import theme
from distill.gui.widgets.drag_and_drop import accept_copy, dropped_paths
from distill.gui.widgets.plain_text import make_plain
from distill.gui.window.closing import WindowClosing, run_all
from distill.gui.window.layout import Frame
from distill.gui.window.settings_damage import damage_text
from distill.gui.window.top_bar import MODELS, TRAINING
from distill.models.file_format import SUFFIX
from distill.settings import WindowSettings

if TYPE_CHECKING:
    from distill.gui.engine.engine_protocol import EngineSource
    from distill.gui.window.composition import Parts
    from distill.playback.player import Player

log = logging.getLogger(__name__)

#: Smallest size at which nothing is cut off, and the size of a first start, in device-independent pixels at the usual
#: text size.
SMALLEST_SIZE, FIRST_SIZE = theme.SMALLEST_SIZE, (1280, 800)

#: Shift of the window of another running Distill, so that it does not cover the first one exactly.
INSTANCE_SHIFT = 36


def first_size(available: QSize) -> QSize:
    """Return the size of a window whose last one is unknown, or was that of another screen: it fits on this one."""
    return _roomy(FIRST_SIZE).boundedTo(available - QSize(*theme.FRAME_SIZE)).expandedTo(_roomy(SMALLEST_SIZE))


def _roomy(size: tuple[int, int]) -> QSize:
    return QSize(*map(theme.roomy, size))


class MainWindow(QMainWindow):
    """The main window; it needs a `QApplication` and nothing else.

    Parameters
    ----------
    engine
        Returns the engine, in the training thread; by default `distill.training.loop`, whose import begins in the
        background once the window has been painted.
    player
        Plays sounds; by default through the default device.
    in_steps
        Build only the frame at first, and the rest once that has been painted, or when it is needed.
    """

    #: The first frame is on the screen.
    painted = Signal()
    #: The window has been painted and is complete.
    ready = Signal()

    def __init__(
        self, engine: "EngineSource | None" = None, player: "Player | None" = None, in_steps: bool = False
    ) -> None:
        app = QApplication.instance()
        assert isinstance(app, QApplication), "MainWindow needs a QApplication"
        settings = WindowSettings.load()
        theme.install(app, theme.Appearance.named(settings.appearance))  # before it: it takes the application's font
        super().__init__()
        self.setObjectName("mainWindow")
        self.setWindowTitle("Distill")
        self.setAcceptDrops(True)
        self.settings = settings
        self.engine, self.player = engine, player
        self._is_painted = self._is_complete = False
        self.menuBar().addMenu(" ")  # keeps its height until the menus come
        self.frame = Frame(self)
        self.thumbnails, self.browser, self.controls = self.frame.thumbnails, self.frame.browser, self.frame.controls
        self.transport, self.notices, self.tabs = self.frame.transport, self.frame.notices, self.frame.tabs
        self.center, self.splitter, self.pages = self.frame.center, self.frame.splitter, self.frame.pages
        self.setCentralWidget(self.frame)
        self._closing = WindowClosing(self, self.frame, self.save_settings)
        self.setMinimumSize(_roomy(SMALLEST_SIZE))
        self.resize(first_size(self.screen().availableSize()))
        theme.apply_style_sheet(self)
        if self.settings.geometry:
            self.restoreGeometry(QByteArray.fromBase64(self.settings.geometry.encode()))
        self.frame.restore(self.settings)
        self._steps = self._assemble()
        self.painted.connect(self._on_painted, Qt.ConnectionType.QueuedConnection)
        if in_steps:
            app.installEventFilter(self)
        else:
            self.complete()
        app.commitDataRequest.connect(self._on_session_end)

    @property
    def is_ready(self) -> bool:
        """Whether the window has been painted and is complete."""
        return self._is_painted and self._is_complete

    @property
    def is_training(self) -> bool:
        """Whether a training is under way; it needs a complete window."""
        return self._is_complete and self.runs.bridge.is_running

    def show_instance(self, number: int) -> None:
        """Mark this as the window of the n-th running Distill: in the title, and by a shifted position."""
        if number > 1:
            self.setWindowTitle(f"Distill ({number})")
            self.move(self.pos() + QPoint(INSTANCE_SHIFT, INSTANCE_SHIFT) * (number - 1))

    def complete(self) -> None:
        """Build at once what is still missing; a second call does nothing."""
        for _ in self._steps:
            pass

    def open_folder(self, path: Path | str) -> None:
        """Show the sounds of a folder, in place of those that are shown."""
        self.complete()
        self.pages.show_page(TRAINING)
        self.sounds.show([Path(path)])

    def quit_now(self) -> None:
        """Close without asking; a training is stopped with a checkpoint first."""
        self._closing.asks_first = False
        self.close()

    def save_settings(self) -> None:
        """Save what is restored at the next start."""
        if self._is_complete:
            settings = WindowSettings()
            settings.appearance = theme.appearance().value
            settings.geometry = bytes(self.saveGeometry().toBase64().data()).decode()
            self.frame.save(settings)
            for part in self.parts.all:
                part.save(settings)
            self.settings = settings
            settings.save()

    # Building.

    def _assemble(self) -> Iterator[None]:
        """Build the rest, in steps that are too short to be noticed."""
        _import_pyqtgraph()  # half of what the next line would take
        yield
        from distill.gui.window import composition

        yield
        self._adopt((yield from composition.compose(self.frame, self.engine, self.player, self)))
        run_all([partial(part.restore, self.settings) for part in self.parts.all], "restoring the window")
        make_plain(self)
        self._is_complete = True
        QApplication.instance().removeEventFilter(self)  # type: ignore[union-attr]
        yield
        self.plots.build_named()  # hidden until *Details* shows them

    def _adopt(self, parts: "Parts") -> None:
        """Make the parts attributes of the window, and connect them with it."""
        from distill.gui.window.menus import make_menus

        self.parts = parts
        self.advanced, self.plots, self.previews = parts.advanced, parts.plots, parts.previews
        self.run_list, self.models_page, self.recent = parts.run_list, parts.models_page, parts.recent
        self.sounds, self.runs, self.past_runs = parts.sounds, parts.runs, parts.past_runs
        self.playing, self.previewing, self.curves = parts.playing, parts.previewing, parts.curves
        self.codes, self.models, self.making = parts.codes, parts.models, parts.making
        updates = parts.updates.changed
        for signal in (self.runs.run_changed, self.runs.settings.changed, self.sounds.exclusions_settled, updates):
            signal.connect(self.save_settings)
        self._closing.take_parts(parts)
        self.ready.connect(self._on_ready)
        make_menus(self, self.frame, parts, self.open_folder)

    def _on_ready(self) -> None:
        if self.engine is None:
            self.parts.engine_loader.start()
        self._report_damaged_settings()
        self.codes.allow_import()
        self.past_runs.refresh()
        self.parts.queue.refresh()
        self.models.refresh()
        self.parts.updates.start()
        focused = QApplication.focusWidget()
        # While a page is not built yet, Qt gives the focus to the player, which is there.
        if focused is None or not focused.isVisibleTo(self) or self.transport.isAncestorOf(focused):
            self.pages.open_page(self.pages.currentIndex())

    def _report_damaged_settings(self) -> None:
        """Say once which settings could not be read; they are saved whole again."""
        if text := damage_text(self.settings):
            self.notices.notify("settings", text, "warning")
            self.save_settings()

    # The first frame.

    def paintEvent(self, event: QPaintEvent) -> None:
        """Note the first frame."""
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            self.painted.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Build the rest before the first click or key is handled: it is needed now.

        After the announced end of a session, a click or a key shows that it was cancelled: Qt has no signal for that.
        """
        if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride):
            self.complete()
            if self._closing.forget_session_end():
                QApplication.instance().removeEventFilter(self)  # type: ignore[union-attr]
        return super().eventFilter(watched, event)

    def _on_painted(self) -> None:
        """Take the next step of building, after the events that have come meanwhile; emit `ready` after the last."""
        next(self._steps, None)
        if self._is_complete and self.isVisible():
            self.ready.emit()
            QTimer.singleShot(0, self, self.complete)
        elif not self._is_complete:
            QTimer.singleShot(0, self, self._on_painted)

    # Files and folders that are dropped on the window.

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept files and folders."""
        if paths := dropped_paths(event):
            accept_copy(event)
            self.frame.show_drop_hint(self._drop_hint(paths))

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Remove the highlight."""
        super().dragLeaveEvent(event)
        self.frame.show_drop_hint("")

    def _drop_hint(self, paths: list[Path]) -> str:
        """Return what dropping these files here does."""
        if all(path.suffix.lower() == SUFFIX for path in paths):
            return self.tr("Drop to add to your models")
        if self.pages.currentIndex() == MODELS:
            return self.tr("Drop to transform with the chosen model")
        return self.tr("Drop to add to the sounds")

    def dropEvent(self, event: QDropEvent) -> None:
        """Import models, and add other files to the sounds; on the models page, take them as sources to transform."""
        self.frame.show_drop_hint("")
        if dropped := dropped_paths(event):
            accept_copy(event)
            self.complete()
            others = self.models.files.take_drop(dropped)
            if others and self.pages.currentIndex() == MODELS:
                self.making.take_drop(others)
            elif others:
                self.pages.show_page(TRAINING)  # also from the Play page: it shows what is added
                self.tabs.setCurrentWidget(self.browser)
                self.sounds.add(others)

    # Closing.

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close; a running training is first stopped with a checkpoint, after asking the user."""
        self.complete()  # it knows how to save and to end
        if self._is_complete and not self._closing.closes_now():
            event.ignore()
        else:
            event.accept()

    def wait_for_engine(self) -> None:
        """Wait for the import of the engine, if it has begun: ending the program during it can crash."""
        if self._is_complete:
            self.parts.engine_loader.wait()

    def _on_session_end(self, _manager: QSessionManager) -> None:
        self.end_session()

    def end_session(self) -> None:
        """Save everything before the system ends the session; there is no time for questions."""
        self._closing.asks_first = False
        self.complete()
        QApplication.instance().installEventFilter(self)  # type: ignore[union-attr]
        self._closing.end_session()


def _import_pyqtgraph() -> None:
    """Import pyqtgraph without the bindings of CUDA, which it takes where they are: nothing here draws with them.

    They come with torch, and loading them takes 30 ms of the start.
    """
    name = "cuda.bindings"
    if name in sys.modules:
        return
    sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails, as where it is not installed
    try:
        import pyqtgraph  # noqa: F401
    finally:
        del sys.modules[name]
