"""The window: its frame, how it is filled, and how it closes.

Panels show what there is and say what the user wants; they know neither the engine nor each other.  Presenters carry
that out and hand back what happens.

The window comes in two parts.  Its frame (the list of sounds, the controls, the player, the places of the rest) is
quick to make, and is what the first frame shows.  The rest, which needs pyqtgraph and most of our own modules, is
`distill.gui.window.composition`: it takes longer than all that comes before.  ``MainWindow()`` makes both at once;
`distill.gui.app` makes the frame, shows it, and lets the rest come in a few steps between the user's first events.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QByteArray, QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent, QSessionManager
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from distill.gui.player.toolbar import PlayerToolbar
from distill.gui.sounds.panel import SoundsPanel
from distill.gui.training.controls import TrainingControls
from distill.gui.widgets import theme
from distill.gui.widgets.background import end_tasks
from distill.gui.widgets.notices import NoticeBar
from distill.gui.widgets.panel import Panel
from distill.gui.widgets.waveform import Thumbnails
from distill.gui.window.pages import MODELS, TRAINING, Pages
from distill.settings import WindowSettings

if TYPE_CHECKING:
    from PySide6.QtGui import QUndoGroup

    from distill.gui.engine.jobs import EngineSource
    from distill.gui.engine.loader import EngineLoader
    from distill.gui.generate.presenter import GeneratePresenter
    from distill.gui.library.page import ModelsPage
    from distill.gui.library.presenter import ModelsPresenter
    from distill.gui.player.presenter import PlayerPresenter
    from distill.gui.plots.codebook.presenter import CodebookPresenter
    from distill.gui.plots.panel import PlotsPanel
    from distill.gui.plots.presenter import PlotsPresenter
    from distill.gui.previews.panel import PreviewPanel
    from distill.gui.previews.presenter import PreviewsPresenter
    from distill.gui.runs.panel import RunsPanel
    from distill.gui.runs.presenter import RunsPresenter
    from distill.gui.sounds.presenter import SoundsPresenter
    from distill.gui.sounds.recent_folders import RecentFolders
    from distill.gui.training.presenter import TrainingPresenter
    from distill.gui.training.settings_panel import SettingsPanel
    from distill.playback.player import Player

log = logging.getLogger(__name__)

#: Smallest size at which nothing is cut off, and the size of a first start, in device-independent pixels.
SMALLEST_SIZE, FIRST_SIZE = (1006, 604), (1280, 800)

#: Smallest widths of the three columns, and their shares of a first start.
SMALLEST_COLUMNS, COLUMNS = (330, 370, 270), (400, 560, 300)


class MainWindow(QMainWindow):
    """The main window; it needs a `QApplication` and nothing else.

    Parameters
    ----------
    engine
        Returns the engine, in the training thread; by default `distill.training.loop`, whose import begins in the
        background once the window has been painted.
    player
        Plays sounds; by default through the default device.
    """

    #: Whether all but the frame comes only when that has been painted, or when somebody needs it.
    comes_in_steps: ClassVar[bool] = False

    #: The first frame is on the screen.
    painted = Signal()
    #: The window has been painted and is complete.
    ready = Signal()

    # What `distill.gui.window.composition` adds.
    advanced: "SettingsPanel"
    plots: "PlotsPanel"
    previews: "PreviewPanel"
    run_list: "RunsPanel"
    models_page: "ModelsPage"
    recent: "RecentFolders"
    sounds: "SoundsPresenter"
    runs: "TrainingPresenter"
    earlier: "RunsPresenter"
    playing: "PlayerPresenter"
    previewing: "PreviewsPresenter"
    curves: "PlotsPresenter"
    codes: "CodebookPresenter"
    models: "ModelsPresenter"
    making: "GeneratePresenter"
    undo_group: "QUndoGroup"
    engine_loader: "EngineLoader"

    def __init__(self, engine: "EngineSource | None" = None, player: "Player | None" = None) -> None:
        super().__init__()
        app = QApplication.instance()
        assert isinstance(app, QApplication), "MainWindow needs a QApplication"
        self.setObjectName("mainWindow")
        self.setWindowTitle("Distill")
        self.setAcceptDrops(True)
        self.settings = WindowSettings.load()
        theme.install(app, theme.Appearance.named(self.settings.appearance))
        self.engine, self.player = engine, player
        self._is_painted = self._is_complete = self._is_closing = False
        self._asks_before_closing = True
        self._question: QMessageBox | None = None
        self._build()
        theme.dress(self)
        self._restore_frame()
        self._steps = self._assemble()
        self.painted.connect(self._on_painted, Qt.ConnectionType.QueuedConnection)
        if self.comes_in_steps:
            app.installEventFilter(self)
        else:
            self.complete()
        app.commitDataRequest.connect(self._on_session_end)

    @property
    def is_ready(self) -> bool:
        """Whether the window has been painted and is complete."""
        return self._is_painted and self._is_complete

    def complete(self) -> None:
        """Make at once what is still missing; a second call does nothing."""
        for _ in self._steps:
            pass

    def open_folder(self, path: Path | str) -> None:
        """Show the sounds of a folder, in place of those that are shown."""
        self.complete()
        self.pages.show_page(TRAINING)
        self.sounds.show([Path(path)])

    def quit_now(self) -> None:
        """Close without asking; a training is stopped with a checkpoint first."""
        self._asks_before_closing = False
        self.close()

    def _build(self) -> None:
        self.menuBar().addMenu(" ")  # keeps the place: the menus come with the rest
        self.thumbnails = Thumbnails(self)
        self.browser, self.controls = SoundsPanel(self.thumbnails), TrainingControls()
        self.transport, self.notices = PlayerToolbar(), NoticeBar()
        self.tabs = self._make_tabs()
        self.center = QStackedWidget()
        self.center.addWidget(Panel(""))
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GAP)
        column.addWidget(self.controls)
        column.addWidget(self.center, 1)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(theme.GAP)
        self.splitter.setChildrenCollapsible(False)
        for number, widget in enumerate((self.tabs, middle, Panel(""))):
            self.put_column(number, widget)
        self.splitter.setSizes(list(COLUMNS))
        central = QWidget()
        layout = QVBoxLayout(central)
        layout.setContentsMargins(theme.GAP, theme.HALF, theme.GAP, theme.GAP)
        layout.setSpacing(theme.GAP)
        self.pages = Pages(self.splitter, Panel(""))
        top = QHBoxLayout()
        top.setSpacing(theme.GAP)
        top.addWidget(self.pages.switch, 0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        top.addWidget(self.notices, 1)  # in a row that is there anyway: nothing moves when there is one
        layout.addLayout(top)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.transport)
        self.setCentralWidget(central)
        self.setMinimumSize(*SMALLEST_SIZE)
        self.resize(*FIRST_SIZE)

    def put_column(self, number: int, widget: QWidget) -> None:
        """Put a column where it belongs, in place of what may be there."""
        widget.setMinimumWidth(SMALLEST_COLUMNS[number])
        if number < self.splitter.count():
            if (before := self.splitter.replaceWidget(number, widget)) is not None:
                before.deleteLater()
        else:
            self.splitter.addWidget(widget)
        self.splitter.setStretchFactor(number, COLUMNS[number])

    def _make_tabs(self) -> QTabWidget:
        """Put sounds and runs behind each other: one is looked at while the other waits."""
        tabs = QTabWidget()
        tabs.setObjectName("sideTabs")
        tabs.tabBar().setAccessibleName(self.tr("Sounds and runs"))
        tabs.setDocumentMode(True)
        tabs.addTab(self.browser, self.tr("Sounds"))
        tabs.addTab(Panel(""), self.tr("Runs"))
        tabs.setTabToolTip(0, self.tr("What is trained on."))
        tabs.setTabToolTip(1, self.tr("All runs so far: look at one again, or go on with it."))
        self.browser.title.hide()  # the tab says it
        return tabs

    def _restore_frame(self) -> None:
        """Let the frame look as it was left, as far as it is there."""
        settings = self.settings
        if settings.geometry:
            self.restoreGeometry(QByteArray.fromBase64(settings.geometry.encode()))
        if len(settings.columns) == len(COLUMNS):
            self.splitter.setSizes(settings.columns)
        self.tabs.setCurrentIndex(min(max(settings.side_tab, 0), self.tabs.count() - 1))
        self.pages.show_page(settings.page)
        self.transport.show_volume(settings.volume)
        self.transport.show_can_play(False)
        if settings.sounds:
            self.browser.show_scanning()

    def _assemble(self) -> Iterator[None]:
        """Make the rest, step by step, none of which takes much longer than the user would notice."""
        import pyqtgraph  # noqa: F401  # half of what the next line would take

        yield
        from distill.gui.window import composition

        yield
        composition.add_plots(self)
        yield
        composition.add_panels(self)
        yield
        composition.add_presenters(self)
        composition.restore(self)
        self._is_complete = True
        QApplication.instance().removeEventFilter(self)  # type: ignore[union-attr]

    def save_settings(self) -> None:
        """Save what is to come back at the next start."""
        if self._is_complete:
            from distill.gui.window import composition

            self.settings = composition.current_settings(self)
            self.settings.save()

    # The first frame.

    def paintEvent(self, event: QPaintEvent) -> None:
        """Note the first frame."""
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            self.painted.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Make the rest before the first click or key is heeded: somebody needs it now."""
        if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride):
            self.complete()
        return super().eventFilter(watched, event)

    def _on_painted(self) -> None:
        """Let the next step be made, after what the user has done meanwhile, and tell when all have been."""
        next(self._steps, None)
        if self._is_complete and self.isVisible():
            self.ready.emit()
        elif not self._is_complete:
            QTimer.singleShot(0, self, self._on_painted)

    # Files and folders that are dropped on the window.

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if _dropped_paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take models into the library, and show the other files and folders beside what is shown."""
        if dropped := _dropped_paths(event):
            event.acceptProposedAction()
            self.complete()
            others = self.models.take_drop(dropped)
            if others and self.pages.currentIndex() == MODELS:
                self.models.refuse_drop(others)
            elif others:
                self.tabs.setCurrentWidget(self.browser)
                self.sounds.add(others)

    # Closing.

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close; a training is stopped first, with a checkpoint, after asking the user."""
        self.complete()  # it is what knows how to save and to end
        if not self._is_complete:  # it has failed, which has been told
            event.accept()
            return
        if self.runs.bridge.is_running and not self._is_closing:
            event.ignore()
            if self._asks_before_closing:
                self._ask_before_closing()
            else:
                self._stop_and_close()
            return
        if self.runs.bridge.is_running:  # asked again while the last step is still being made
            event.ignore()
            return
        self.save_settings()
        self.notices.forget_all()
        self.sounds.close()
        self.thumbnails.close()
        self.playing.playback.close()
        self.previewing.close()
        self.curves.close()
        self.models.close()
        self.making.close()
        end_tasks(self)
        self.codes.close()
        event.accept()

    def wait_for_engine(self) -> None:
        """Wait for the import of the engine, if it has begun: ending the program in its middle can crash."""
        self.engine_loader.wait()

    def _ask_before_closing(self) -> None:
        if self._question is not None:
            return
        self._question = QMessageBox(
            QMessageBox.Icon.NoIcon,
            self.tr("Quit Distill?"),
            self.tr("A training is under way. It will be stopped with a checkpoint; you can resume it later."),
            parent=self,
        )
        self._question.setObjectName("quitDialog")
        stop = self._question.addButton(self.tr("&Stop and quit"), QMessageBox.ButtonRole.AcceptRole)
        keep = self._question.addButton(self.tr("&Keep training"), QMessageBox.ButtonRole.RejectRole)
        self._question.setDefaultButton(stop)
        self._question.setEscapeButton(keep)
        self._question.finished.connect(self._on_answered)
        self._question.open()  # not exec: the training's events go on being shown

    def _on_answered(self, _result: int) -> None:
        question, self._question = self._question, None
        if question is not None:
            role = question.buttonRole(question.clickedButton())
            question.deleteLater()
            if role is QMessageBox.ButtonRole.AcceptRole:
                self._stop_and_close()

    def _stop_and_close(self) -> None:
        self._is_closing = True
        if self.runs.bridge.is_running:
            self.runs.bridge.stop()
        else:
            self.close()

    def on_training_ended(self) -> None:
        """Close where that has waited for it."""
        if self._is_closing:
            self.close()

    def _on_session_end(self, _manager: QSessionManager) -> None:
        self.end_session()

    def end_session(self) -> None:
        """Save the training before the system ends the session; there is no time for questions."""
        self._asks_before_closing = False
        self.complete()
        self.runs.bridge.stop_and_wait()
        self.save_settings()


def _dropped_paths(event: QDropEvent | QDragEnterEvent) -> list[Path]:
    if event.source() is not None:  # a preview on its way out: what the model has made is not what it learns from
        return []
    data = event.mimeData()
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()] if data.hasUrls() else []
