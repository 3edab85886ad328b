"""What the window is put together from beyond its frame: panels, presenters, menus, and what comes back from last time.

Not imported before the first frame is on the screen: see `distill.gui.window.window`.
"""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QUndoGroup
from PySide6.QtWidgets import QWidget

from distill.gui.engine.bridge import RunState
from distill.gui.engine.jobs import EngineSource
from distill.gui.engine.loader import EngineLoader
from distill.gui.generate.panel import GeneratePanel
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
from distill.gui.widgets import theme
from distill.gui.window.menus import make_menus
from distill.gui.window.pages import MODELS, TRAINING, replace_page
from distill.playback.output import OutputDevice
from distill.settings import WindowSettings

if TYPE_CHECKING:
    from distill.gui.window.window import MainWindow

#: Place of the list of runs among the tabs, and of the previews among the columns.
RUNS_TAB, PREVIEWS_COLUMN = 1, 2


def add_plots(window: "MainWindow") -> None:
    """Put the curves where they belong."""
    window.plots = PlotsPanel()
    replace_page(window.center, 0, window.plots)


def add_panels(window: "MainWindow") -> None:
    """Put the other panels where they belong."""
    window.advanced, window.previews = SettingsPanel(), PreviewPanel()
    window.run_list, window.models_page = RunsPanel(), ModelsPage(window.thumbnails)
    window.center.addWidget(window.advanced)
    window.put_column(PREVIEWS_COLUMN, window.previews)
    _replace_tab(window, RUNS_TAB, window.run_list)
    window.run_list.title.hide()  # the tab says it
    window.pages.put(MODELS, window.models_page)
    _order_focus(window)


def add_presenters(window: "MainWindow") -> None:
    """Add what carries out what the panels ask for, and connect it."""
    window.engine_loader = EngineLoader()
    engine = window.engine or window.engine_loader
    notices, controls, plots, previews = window.notices, window.controls, window.plots, window.previews
    window.recent = RecentFolders(window)
    window.sounds = SoundsPresenter(window.browser, notices, window)
    window.runs = TrainingPresenter(engine, window.sounds, controls, window.advanced, plots, previews, notices, window)
    window.earlier = RunsPresenter(window.run_list, window.runs, notices, window)
    window.playing = PlayerPresenter(window.player, window.transport, window.browser, previews, notices, window)
    window.previewing = PreviewsPresenter(previews, notices, window)
    window.transport.name_previews(previews.grid.sources)
    window.curves = PlotsPresenter(plots, window.runs.runs, window.playing.play, notices, window)
    window.codes = CodebookPresenter(engine, plots.codebook, window.playing.play, notices, window)
    _add_models(window, engine)
    _add_undo(window)
    _connect(window)
    make_menus(window)


def restore(window: "MainWindow") -> None:
    """Bring back what the user has left."""
    settings = window.settings
    window.runs.settings.restore(settings.advanced)
    window.controls.choose(settings.family, settings.preset, settings.epochs)
    window.making.restore(settings.making)
    if settings.output_device:
        window.playing.restore_device(OutputDevice(settings.output_device, settings.output_host_api))
    window.plots.restore(settings.plots)
    _show_split(window)
    window.recent.restore(Path(text) for text in settings.recent)
    window.sounds.restore_excluded(Path(text) for text in settings.excluded)
    window.browser.show_hears_walking(settings.hears_walking)
    window.browser.view.restore_layout(settings.sound_columns, settings.sound_list)
    if roots := settings.existing_sounds():
        window.sounds.show(roots)
    else:
        window.browser.show_busy("")
    if settings.run:
        window.runs.runs.open(Path(settings.run), is_asked=False)


def current_settings(window: "MainWindow") -> WindowSettings:
    """Return what is to come back at the next start."""
    folder, device = window.runs.runs.folder, window.transport.device_menu.chosen
    view = window.browser.view
    return WindowSettings(
        sounds=[str(path) for path in window.sounds.roots],
        recent=[str(path) for path in window.recent.all],
        excluded=sorted(str(path) for path in window.sounds.exclusions.paths),
        sound_columns=view.columns.names(),
        sound_list=view.layout_state(),
        hears_walking=view.hears_walking,
        run=str(folder) if folder is not None else "",
        family=window.controls.family_key,
        preset=window.controls.preset_key,
        epochs=window.controls.epochs.value(),
        advanced=window.runs.settings.to_save(),
        side_tab=window.tabs.currentIndex(),
        page=window.pages.currentIndex(),
        making=window.making.settings(),
        appearance=theme.appearance().value,
        plots=window.plots.state(),
        volume=window.transport.gain,
        output_device=device.name if device is not None else "",
        output_host_api=device.host_api if device is not None else "",
        geometry=bytes(window.saveGeometry().toBase64().data()).decode(),
        columns=window.splitter.sizes(),
    )


def _order_focus(window: "MainWindow") -> None:
    """Let Tab walk the panels as they lie; Qt takes the order in which they came."""
    panels: tuple[QWidget, ...] = (
        window.pages.switch, window.notices, window.tabs.tabBar(), window.browser, window.run_list, window.controls,
        window.center, window.previews, window.models_page, window.transport,
    )  # fmt: skip

    def position(widget: QWidget) -> int:
        return next((n for n, panel in enumerate(panels) if panel is widget or panel.isAncestorOf(widget)), -1)

    stops, widget = [], window.nextInFocusChain()
    while widget is not None and widget is not window:
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.focusProxy() is None:
            stops.append(widget)
        widget = widget.nextInFocusChain()
    for before, after in pairwise(sorted(stops, key=position)):
        QWidget.setTabOrder(before, after)


def _replace_tab(window: "MainWindow", number: int, panel: RunsPanel) -> None:
    tabs = window.tabs
    current, position = tabs.currentIndex(), tabs.widget(number)
    text, tip = tabs.tabText(number), tabs.tabToolTip(number)
    tabs.removeTab(number)
    if position is not None:
        position.deleteLater()
    tabs.insertTab(number, panel, text)
    tabs.setTabToolTip(number, tip)
    tabs.setCurrentIndex(current)


def _add_models(window: "MainWindow", engine: EngineSource) -> None:
    """Connect the page of the models: runs that end, the player, making sound."""
    playing, page = window.playing, window.models_page
    window.models = models = ModelsPresenter(page, playing, window.notices, window)
    models.page_requested.connect(lambda: window.pages.open_page(MODELS))
    window.runs.bridge.run_ended.connect(models.await_model)
    window.runs.runs.marked_finished.connect(models.await_model)
    panel = GeneratePanel()
    page.add_service(panel)
    models.model_chosen.connect(panel.show_model)
    window.making = GeneratePresenter(engine, panel, playing, window.browser, window.notices, window)


def _add_undo(window: "MainWindow") -> None:
    """Let undo belong to the page that is seen."""
    group = window.undo_group = QUndoGroup(window)
    stacks = {TRAINING: window.sounds.exclusions.undo_stack, MODELS: window.models.undo_stack}
    for stack in stacks.values():
        group.addStack(stack)

    def on_page_changed(number: int) -> None:
        group.setActiveStack(stacks[number])
        if number == MODELS and window.is_ready:
            window.models.note_seen()
            window.models.refresh()  # what the terminal has made meanwhile is there, too

    window.pages.page_changed.connect(on_page_changed)
    on_page_changed(window.pages.currentIndex())


def _connect(window: "MainWindow") -> None:
    """Connect the rest: what is saved when, and what is shown instead of what."""
    controls, runs, sounds = window.controls, window.runs, window.sounds
    runs.run_changed.connect(window.save_settings)
    runs.settings.changed.connect(window.save_settings)
    sounds.exclusions_settled.connect(window.save_settings)
    sounds.folders_shown.connect(window.recent.note)
    runs.settings.changed.connect(lambda: _show_split(window))
    controls.family_chosen.connect(lambda _family: _show_split(window))
    runs.codes_changed.connect(window.codes.show_run)

    def show_advanced(is_on: bool) -> None:
        window.center.setCurrentWidget(window.advanced if is_on else window.plots)

    def leave_advanced() -> None:
        controls.advanced.setChecked(False)
        controls.advanced.setFocus()

    def on_run_state_changed(state: RunState) -> None:
        window.browser.show_training(state is not RunState.IDLE)
        if state is RunState.IDLE:
            window.on_training_ended()

    def on_tab_changed() -> None:
        if window.is_ready and window.run_list.isVisible():
            window.earlier.refresh()  # what the terminal has made meanwhile is there, too

    def on_ready() -> None:
        if window.engine is None:
            window.engine_loader.start()
        window.codes.allow_import()
        window.earlier.refresh()
        window.models.refresh()

    controls.advanced_toggled.connect(show_advanced)
    window.advanced.close_requested.connect(leave_advanced)
    window.tabs.currentChanged.connect(on_tab_changed)
    window.ready.connect(on_ready)
    runs.bridge.state_changed.connect(on_run_state_changed)


def _show_split(window: "MainWindow") -> None:
    """Let the list say what the next training would hold out."""
    window.sounds.show_changes(window.runs.settings.changes)
