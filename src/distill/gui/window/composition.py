"""Builds the panels and presenters beyond the frame, and connects them.

A new panel is added here: build it, place it in the frame, and list its presenter in `Parts.all`; the window then
restores, saves and closes it.  Not imported before the first frame is painted: see `distill.gui.window.main_window`.
"""

from collections.abc import Generator
from dataclasses import dataclass

from PySide6.QtGui import QUndoGroup
from PySide6.QtWidgets import QWidget

from distill.gui.compare.presenter import ComparePresenter
from distill.gui.doctor.panel import DoctorPanel
from distill.gui.doctor.presenter import DoctorPresenter
from distill.gui.engine.engine_loader import EngineLoader
from distill.gui.engine.engine_protocol import EngineSource
from distill.gui.engine.run_state import RunState
from distill.gui.generate.panel import GeneratePanel
from distill.gui.generate.presenter import GeneratePresenter
from distill.gui.help.update_presenter import UpdatePresenter
from distill.gui.library.page import ModelsPage
from distill.gui.library.presenter import ModelsPresenter
from distill.gui.play.midi_osc_presenter import MidiOscPresenter
from distill.gui.play.page import PlayPage
from distill.gui.play.presenter import PlayPresenter
from distill.gui.player.presenter import PlayerPresenter
from distill.gui.plots.codebook.presenter import CodebookPresenter
from distill.gui.plots.panel import PlotsPanel
from distill.gui.plots.presenter import PlotsPresenter
from distill.gui.previews.panel import PreviewPanel
from distill.gui.previews.presenter import PreviewsPresenter
from distill.gui.queue.panel import QueuePanel
from distill.gui.queue.presenter import QueuePresenter
from distill.gui.runs.panel import RunsPanel
from distill.gui.runs.presenter import RunsPresenter
from distill.gui.sounds.presenter import SoundsPresenter
from distill.gui.sounds.recent_folders import RecentFolders
from distill.gui.training.advanced_settings_panel import SettingsPanel
from distill.gui.training.estimate_presenter import EstimatePresenter
from distill.gui.training.presenter import TrainingPresenter
from distill.gui.training.run_verdict_presenter import VerdictPresenter
from distill.gui.widgets.focus import order_focus
from distill.gui.window.layout import PLOTS_COLUMN, RUNS_TAB, Frame
from distill.gui.window.top_bar import MODELS, PLAY, TRAINING
from distill.gui.window_part import WindowPart
from distill.names import taken_names
from distill.playback.player import Player, PlayerState
from distill.training.estimate_inputs import measure as measure_speed


@dataclass(frozen=True)
class Parts:
    """What the window consists of beyond its frame: panels, then the presenters that act for them.

    Attributes
    ----------
    all
        What is restored, in this order, saved, and closed.
    """

    advanced: SettingsPanel
    doctor_panel: DoctorPanel
    plots: PlotsPanel
    previews: PreviewPanel
    run_list: RunsPanel
    models_page: ModelsPage
    engine_loader: EngineLoader
    recent: RecentFolders
    sounds: SoundsPresenter
    doctor: DoctorPresenter
    runs: TrainingPresenter
    past_runs: RunsPresenter
    queue: QueuePresenter
    comparing: ComparePresenter
    playing: PlayerPresenter
    previewing: PreviewsPresenter
    curves: PlotsPresenter
    codes: CodebookPresenter
    models: ModelsPresenter
    making: GeneratePresenter
    play: PlayPresenter
    updates: UpdatePresenter
    undo_group: QUndoGroup
    all: tuple[WindowPart, ...]


def compose(
    frame: Frame, engine: EngineSource | None, player: Player | None, window: QWidget
) -> Generator[None, None, Parts]:
    """Build the parts in steps, and return them.

    Parameters
    ----------
    frame
        Where the panels go.
    engine, player
        As in `distill.gui.window.main_window.MainWindow`.
    window
        Qt parent of the presenters.
    """
    notices, controls = frame.notices, frame.controls
    plots = PlotsPanel()
    frame.splitter.put(PLOTS_COLUMN, plots)
    yield
    advanced, previews, run_list, page = SettingsPanel(), PreviewPanel(), RunsPanel(), ModelsPage(frame.thumbnails)
    doctor_panel = DoctorPanel()
    generate_panel, play_page, queue_panel = GeneratePanel(), PlayPage(frame.thumbnails), QueuePanel()
    run_list.body.addWidget(queue_panel)
    frame.put_center(previews)
    frame.center.addWidget(advanced)
    frame.center.addWidget(doctor_panel)
    frame.put_tab(RUNS_TAB, run_list)
    run_list.title.hide()  # the tab has the same text
    frame.pages.put(MODELS, page)
    frame.pages.put(PLAY, play_page)
    yield
    loader = EngineLoader()
    source = engine or loader
    recent = RecentFolders(window)
    sounds = SoundsPresenter(frame.browser, notices, window)
    doctor = DoctorPresenter(doctor_panel, frame.browser, sounds, window)
    runs = TrainingPresenter(source, sounds, controls, advanced, plots, previews, notices, window)
    past_runs = RunsPresenter(run_list, runs, notices, window)
    queue = QueuePresenter(queue_panel, controls, runs, past_runs, sounds, notices, window)
    playing = PlayerPresenter(player, frame.transport, frame.browser, previews, notices, window)
    comparing = ComparePresenter(source, run_list, playing.playback, frame.thumbnails, notices, window)
    previewing = PreviewsPresenter(previews, notices, window)
    curves = PlotsPresenter(plots, runs.runs, playing.play, notices, window)
    codes = CodebookPresenter(source, plots.codebook, playing.play, notices, window)
    models = ModelsPresenter(page, playing, notices, window)
    page.add_service(generate_panel)
    making = GeneratePresenter(source, generate_panel, playing, frame.browser, notices, window)
    control = MidiOscPresenter(playing.playback.player, play_page, notices, window)
    play = PlayPresenter(source, play_page, playing, control, notices, window)
    updates = UpdatePresenter(notices, window)
    parts = Parts(
        advanced, doctor_panel, plots, previews, run_list, page, loader, recent, sounds, doctor, runs, past_runs, queue,
        comparing, playing, previewing, curves,
        codes, models, making, play, updates, QUndoGroup(window),
        (
            runs, queue, comparing, making, control, play, playing, curves, recent, sounds, doctor, models, previewing,
            codes, updates,
        ),
    )  # fmt: skip
    EstimatePresenter(controls, runs.settings, sounds, runs.bridge, measure_speed if engine is None else None, window)
    VerdictPresenter(plots.verdict, runs, notices, window)
    runs.names_in_use = lambda: taken_names(
        (run.name for run in run_list.table.items), queue.names, (model.name for model in page.list.table.items)
    )
    _connect_training(frame, parts)
    _connect_models(frame, parts, generate_panel)
    _connect_undo(frame, parts)
    order_focus(  # now that everything is in its place
        window,
        frame.pages.switch, frame.notices, frame.tabs.tabBar(), frame.browser, run_list, frame.controls,
        frame.center, plots, page, play_page, frame.transport,
    )  # fmt: skip
    return parts


def _connect_training(frame: Frame, parts: Parts) -> None:
    """Connect the panels of the training page with each other."""
    controls, runs, sounds = frame.controls, parts.runs, parts.sounds

    def show_split() -> None:
        sounds.show_changes(runs.settings.changes)

    def show_center() -> None:
        shows_advanced, shows_doctor = controls.advanced.isChecked(), frame.browser.doctor.isChecked()
        panel = parts.advanced if shows_advanced else parts.doctor_panel if shows_doctor else parts.previews
        frame.center.setCurrentWidget(panel)

    def show_advanced(is_on: bool) -> None:
        if is_on:
            frame.browser.doctor.setChecked(False)
        show_center()

    def show_doctor(is_on: bool) -> None:
        if is_on:
            controls.advanced.setChecked(False)
        show_center()

    def leave_doctor() -> None:
        frame.browser.doctor.setChecked(False)
        frame.browser.doctor.setFocus()

    def show_previews(state: RunState) -> None:
        if state is RunState.PREPARING:
            frame.browser.doctor.setChecked(False)

    def leave_advanced() -> None:
        controls.advanced.setChecked(False)
        controls.advanced.setFocus()

    controls.status_changed.connect(frame.show_status)
    frame.transport.name_previews(parts.previews.grid.sources)
    sounds.folders_shown.connect(parts.recent.note)
    runs.settings.changed.connect(show_split)
    controls.family_chosen.connect(lambda _family: show_split())
    runs.codes_changed.connect(parts.codes.show_run)
    controls.advanced_toggled.connect(show_advanced)
    parts.advanced.close_requested.connect(leave_advanced)
    frame.browser.doctor_toggled.connect(show_doctor)
    parts.doctor_panel.close_requested.connect(leave_doctor)
    parts.doctor.play_requested.connect(parts.playing.play)
    parts.playing.playback.status_changed.connect(
        lambda status: parts.doctor_panel.show_playing(status.path if status.state is PlayerState.PLAYING else None)
    )
    runs.bridge.state_changed.connect(show_previews)
    parts.run_list.fork_requested.connect(runs.origin.choose_checkpoint)
    runs.origin.chosen.connect(lambda: frame.pages.open_page(TRAINING))
    frame.tabs.currentChanged.connect(lambda _tab: parts.past_runs.refresh_if_seen())
    frame.tabs.currentChanged.connect(lambda _tab: parts.queue.refresh_if_seen())
    runs.bridge.state_changed.connect(lambda state: frame.browser.show_training(state is not RunState.IDLE))


def _connect_models(frame: Frame, parts: Parts, panel: GeneratePanel) -> None:
    """Connect the models page: finished runs, the player, generation."""
    models, runs = parts.models, parts.runs
    models.page_requested.connect(lambda: frame.pages.open_page(MODELS))
    runs.bridge.run_ended.connect(models.await_model)
    runs.runs.marked_finished.connect(models.await_model)
    models.model_chosen.connect(panel.show_model)
    models.listed.connect(panel.show_models)
    models.listed.connect(lambda entries: parts.models_page.detail.show_has_models(bool(entries)))
    for source in (parts.models_page.list, parts.models_page.detail):
        source.continue_requested.connect(lambda entry: runs.origin.choose_model(entry.path, entry.shown_name))
    models.model_chosen.connect(parts.play.show_model)
    models.listed.connect(parts.play.page.show_models)
    parts.play.page.model_requested.connect(parts.models_page.list.show_model)
    parts.play.page_requested.connect(lambda: frame.pages.open_page(PLAY))
    parts.making.history.file_moved.connect(parts.play.follow_file)
    parts.making.history.file_moved.connect(parts.playing.follow_file)
    for sounds in (frame.browser, parts.previews, panel.history):
        sounds.play_page_requested.connect(parts.play.take_sound)
        sounds.pads_requested.connect(parts.play.put_on_pads)


def _connect_undo(frame: Frame, parts: Parts) -> None:
    """Let undo act on the visible page."""
    stacks = {
        TRAINING: parts.sounds.exclusions.undo_stack,
        MODELS: parts.models.undo_stack,
        PLAY: parts.play.keeper.changes.undo_stack,
    }
    for stack in stacks.values():
        parts.undo_group.addStack(stack)

    def on_page_changed(number: int) -> None:
        parts.undo_group.setActiveStack(stacks[number])
        if number == MODELS and frame.isVisible():
            parts.models.note_seen()
            parts.models.refresh()  # what the terminal has added meanwhile

    frame.pages.page_changed.connect(on_page_changed)
    parts.undo_group.setActiveStack(stacks[frame.pages.currentIndex()])
