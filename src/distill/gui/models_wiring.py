"""What connects the page of the models with the rest of the window: runs that end, the player, undo, making sound."""

from typing import TYPE_CHECKING

from PySide6.QtGui import QUndoGroup

from distill.gui.jobs import EngineSource
from distill.gui.make_panel import MakePanel
from distill.gui.make_presenter import MakePresenter
from distill.gui.models_presenter import ModelsPresenter
from distill.gui.page_switch import MODELS, TRAINING

if TYPE_CHECKING:
    from distill.gui.main_window import MainWindow


def wire_models(window: "MainWindow", engine: EngineSource) -> tuple[ModelsPresenter, MakePresenter, QUndoGroup]:
    """Return the presenters of the page, and the undo that belongs to the page that is seen."""
    playing, page = window.playing, window.models_page
    models = ModelsPresenter(page, window.notices, window)
    models.page_asked.connect(lambda: window.pages.open_page(MODELS))
    models.play_asked.connect(playing.play)
    models.stop_asked.connect(playing.playback.stop)
    playing.playback.status_changed.connect(models.show_status)
    window.runs.bridge.run_ended.connect(models.await_model)
    window.runs.runs.marked_finished.connect(models.await_model)
    panel = MakePanel()
    page.add_maker(panel)
    models.model_chosen.connect(panel.show_model)
    making = MakePresenter(engine, panel, playing, window.browser, window.notices, window)

    group = QUndoGroup(window)
    stacks = {TRAINING: window.sounds.exclusions.undo_stack, MODELS: models.undo_stack}
    for stack in stacks.values():
        group.addStack(stack)

    def on_page_changed(number: int) -> None:
        group.setActiveStack(stacks[number])
        if number == MODELS and window.is_painted:
            models.refresh()  # what the terminal has made meanwhile is there, too

    window.pages.page_changed.connect(on_page_changed)
    on_page_changed(window.pages.currentIndex())
    return models, making, group
