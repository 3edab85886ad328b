"""The window: its panels, where they lie, and what comes back at the next start.

Panels show what there is and say what the user wants; they know neither the engine nor each other.  Four presenters
carry that out and hand back what happens: one for the sounds, one for the runs, one for playing, one for codes.
"""

import logging
from pathlib import Path

from PySide6.QtCore import QByteArray, Qt, Signal
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

from distill.gui import theme
from distill.gui.advanced import AdvancedPanel
from distill.gui.background import end_tasks
from distill.gui.codebook_presenter import CodebookPresenter
from distill.gui.controls import TrainingControls
from distill.gui.engine import EngineLoader
from distill.gui.jobs import EngineSource
from distill.gui.menus import make_menus
from distill.gui.models_page import ModelsPage
from distill.gui.models_wiring import wire_models
from distill.gui.notices import NoticeBar
from distill.gui.page_switch import MODELS, TRAINING, Pages
from distill.gui.playback_presenter import PlaybackPresenter
from distill.gui.plots import PlotsPanel
from distill.gui.plots_presenter import PlotsPresenter
from distill.gui.previews import PreviewPanel
from distill.gui.previews_presenter import PreviewsPresenter
from distill.gui.recent_folders import RecentFolders
from distill.gui.run_list import RunList
from distill.gui.run_list_presenter import RunListPresenter
from distill.gui.runs_presenter import RunsPresenter
from distill.gui.sound_browser import SoundBrowser
from distill.gui.sounds_presenter import SoundsPresenter
from distill.gui.training_thread import RunState
from distill.gui.transport import Transport
from distill.gui.waveform import Thumbnails
from distill.playback.devices import OutputDevice
from distill.playback.player import Player
from distill.settings import WindowSettings

log = logging.getLogger(__name__)

#: Smallest size at which nothing is cut off, and the size of a first start, in device-independent pixels.
SMALLEST_SIZE, FIRST_SIZE = (1006, 560), (1280, 800)

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

    #: The first frame is on the screen.
    painted = Signal()

    def __init__(self, engine: EngineSource | None = None, player: Player | None = None) -> None:
        super().__init__()
        app = QApplication.instance()
        assert isinstance(app, QApplication), "MainWindow needs a QApplication"
        self.setObjectName("mainWindow")
        self.setWindowTitle("Distill")
        self.setAcceptDrops(True)
        self.settings = WindowSettings.load()
        theme.install(app, theme.Appearance.named(self.settings.appearance))
        self._engine_loader = EngineLoader()
        self._is_own_engine = engine is None
        self._is_painted = self._is_closing = False
        self._asks_before_closing = True
        self._question: QMessageBox | None = None
        self._build()
        self.recent = RecentFolders(self)
        self.sounds = SoundsPresenter(self.browser, self.notices, self)
        self.runs = RunsPresenter(
            engine or self._engine_loader, self.sounds, self.controls, self.advanced, self.plots, self.previews,
            self.notices, self,
        )  # fmt: skip
        self.earlier = RunListPresenter(self.run_list, self.runs, self.notices, self)
        self.playing = PlaybackPresenter(player, self.transport, self.browser, self.previews, self.notices, self)
        self.previewing = PreviewsPresenter(self.previews, self.notices, self)
        self.curves = PlotsPresenter(self.plots, self.runs.runs, self.playing.play, self.notices, self)
        self.codes = CodebookPresenter(
            engine or self._engine_loader, self.plots.codebook, self.playing.play, self.notices, self
        )
        self.models, self.making, self.undo_group = wire_models(self, engine or self._engine_loader)
        self.runs.run_changed.connect(self._save_settings)
        self.runs.settings.changed.connect(self._save_settings)
        self.controls.advanced_toggled.connect(self._on_advanced_toggled)
        self.advanced.close_asked.connect(self._on_advanced_done)
        self.tabs.currentChanged.connect(self._on_tab_changed)
        self.sounds.exclusions_settled.connect(self._save_settings)
        self.sounds.folders_shown.connect(self.recent.note)
        self.runs.settings.changed.connect(self._show_split)
        self.controls.family_chosen.connect(self._show_split)
        self.runs.codes_changed.connect(self.codes.show_run)
        self.runs.bridge.state_changed.connect(self._on_run_state_changed)
        make_menus(self)
        app.commitDataRequest.connect(self._on_session_end)
        self.painted.connect(self._on_painted, Qt.ConnectionType.QueuedConnection)
        self._restore()

    @property
    def is_painted(self) -> bool:
        """Whether the first frame is on the screen."""
        return self._is_painted

    def open_folder(self, path: Path | str) -> None:
        """Show the sounds of a folder, in place of those that are shown."""
        self.pages.show_page(TRAINING)
        self.sounds.show([Path(path)])

    def quit_now(self) -> None:
        """Close without asking; a training is stopped with a checkpoint first."""
        self._asks_before_closing = False
        self.close()

    def _build(self) -> None:
        self.thumbnails = Thumbnails(self)
        self.browser, self.controls, self.plots = SoundBrowser(self.thumbnails), TrainingControls(), PlotsPanel()
        self.previews, self.transport, self.notices = PreviewPanel(), Transport(), NoticeBar()
        self.run_list, self.advanced = RunList(), AdvancedPanel()
        self.tabs = self._make_tabs()
        self.center = QStackedWidget()
        self.center.addWidget(self.plots)
        self.center.addWidget(self.advanced)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GAP)
        column.addWidget(self.controls)
        column.addWidget(self.center, 1)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(theme.GAP)
        self.splitter.setChildrenCollapsible(False)
        for number, widget in enumerate((self.tabs, middle, self.previews)):
            widget.setMinimumWidth(SMALLEST_COLUMNS[number])
            self.splitter.addWidget(widget)
            self.splitter.setStretchFactor(number, COLUMNS[number])
        self.splitter.setSizes(list(COLUMNS))
        central = QWidget()
        layout = QVBoxLayout(central)
        layout.setContentsMargins(theme.GAP, theme.HALF, theme.GAP, theme.GAP)
        layout.setSpacing(theme.GAP)
        self.models_page = ModelsPage(self.thumbnails)
        self.pages = Pages(self.splitter, self.models_page)
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

    def _make_tabs(self) -> QTabWidget:
        """Put sounds and runs behind each other: one is looked at while the other waits."""
        tabs = QTabWidget()
        tabs.setObjectName("sideTabs")
        tabs.tabBar().setAccessibleName(self.tr("Sounds and runs"))
        tabs.setDocumentMode(True)
        tabs.addTab(self.browser, self.tr("Sounds"))
        tabs.addTab(self.run_list, self.tr("Runs"))
        tabs.setTabToolTip(0, self.tr("What is trained on."))
        tabs.setTabToolTip(1, self.tr("All runs so far: look at one again, or go on with it."))
        for panel in (self.browser, self.run_list):
            panel.title.hide()  # the tab says it
        return tabs

    def _show_split(self) -> None:
        """Let the list say what the next training would hold out."""
        self.sounds.show_changes(self.runs.settings.changes)

    # Coming back as it was left.

    def _restore(self) -> None:
        settings = self.settings
        if settings.geometry:
            self.restoreGeometry(QByteArray.fromBase64(settings.geometry.encode()))
        if len(settings.columns) == len(COLUMNS):
            self.splitter.setSizes(settings.columns)
        self.runs.settings.restore(settings.advanced)
        self.controls.choose(settings.family, settings.preset, settings.epochs)
        self.tabs.setCurrentIndex(min(max(settings.side_tab, 0), self.tabs.count() - 1))
        self.pages.show_page(settings.page)
        self.making.restore(settings.making)
        self.transport.show_volume(settings.volume)
        if settings.output_device:
            self.playing.restore_device(OutputDevice(settings.output_device, settings.output_host_api))
        self.plots.restore(settings.plots)
        self._show_split()
        self.recent.restore(Path(text) for text in settings.recent)
        self.sounds.restore_excluded(Path(text) for text in settings.excluded)
        self.browser.show_hears_walking(settings.hears_walking)
        self.browser.view.restore_layout(settings.sound_columns, settings.sound_list)
        if roots := settings.existing_sounds():
            self.sounds.show(roots)
        if settings.run:
            self.runs.runs.open(Path(settings.run), is_asked=False)

    def _save_settings(self) -> None:
        folder, device = self.runs.runs.folder, self.transport.device_menu.chosen
        self.settings = WindowSettings(
            sounds=[str(path) for path in self.sounds.roots],
            recent=[str(path) for path in self.recent.all],
            excluded=sorted(str(path) for path in self.sounds.exclusions.paths),
            sound_columns=self.browser.view.columns.names(),
            sound_list=self.browser.view.layout_state(),
            hears_walking=self.browser.view.hears_walking,
            run=str(folder) if folder is not None else "",
            family=self.controls.family_key,
            preset=self.controls.preset_key,
            epochs=self.controls.epochs.value(),
            advanced=self.runs.settings.to_save(),
            side_tab=self.tabs.currentIndex(),
            page=self.pages.currentIndex(),
            making=self.making.settings(),
            appearance=theme.appearance().value,
            plots=self.plots.state(),
            volume=self.playing.playback.player.volume,
            output_device=device.name if device is not None else "",
            output_host_api=device.host_api if device is not None else "",
            geometry=bytes(self.saveGeometry().toBase64().data()).decode(),
            columns=self.splitter.sizes(),
        )
        self.settings.save()

    # The first frame.

    def paintEvent(self, event: QPaintEvent) -> None:
        """Note the first frame."""
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            self.painted.emit()

    def _on_painted(self) -> None:
        if self._is_own_engine:
            self._engine_loader.start()
        self.codes.allow_import()
        self.earlier.refresh()
        self.models.refresh()

    def _on_tab_changed(self) -> None:
        if self._is_painted and self.run_list.isVisible():
            self.earlier.refresh()  # what the terminal has made meanwhile is there, too

    def _on_advanced_toggled(self, is_on: bool) -> None:
        self.center.setCurrentWidget(self.advanced if is_on else self.plots)

    def _on_advanced_done(self) -> None:
        self.controls.advanced.setChecked(False)
        self.controls.advanced.setFocus()

    # Files and folders that are dropped on the window.

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if _dropped_paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take models into the library, and show the other files and folders beside what is shown."""
        if dropped := _dropped_paths(event):
            event.acceptProposedAction()
            others = self.models.take_drop(dropped)
            if others and self.pages.currentIndex() == MODELS:
                self.models.refuse_drop(others)
            elif others:
                self.tabs.setCurrentWidget(self.browser)
                self.sounds.add(others)

    # Closing.

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close; a training is stopped first, with a checkpoint, after asking the user."""
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
        self._save_settings()
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
        self._engine_loader.wait()

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

    def _on_run_state_changed(self, state: RunState) -> None:
        if state is RunState.IDLE and self._is_closing:
            self.close()

    def _on_session_end(self, _manager: QSessionManager) -> None:
        self.end_session()

    def end_session(self) -> None:
        """Save the training before the system ends the session; there is no time for questions."""
        self._asks_before_closing = False
        self.runs.bridge.stop_and_wait()
        self._save_settings()


def _dropped_paths(event: QDropEvent | QDragEnterEvent) -> list[Path]:
    if event.source() is not None:  # a preview on its way out: what the model has made is not what it learns from
        return []
    data = event.mimeData()
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()] if data.hasUrls() else []
