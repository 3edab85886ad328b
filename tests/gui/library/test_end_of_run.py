"""What the window says of the model of a run that has just ended."""

from dataclasses import replace

from pytestqt.qtbot import QtBot

from distill import paths
from distill.events import TrainingCompleteEvent
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import TRAINING
from tests.library.test_model_library import bells, write_model

FINISHED = TrainingCompleteEvent(6, 9.0, 0.2, 0.2, 0.2, 4)
PAUSED = replace(FINISHED, outcome="stopped")


def test_the_model_of_a_paused_run_is_not_called_ready(window: MainWindow, qtbot: QtBot) -> None:
    """It was announced as ready, beside "Paused at epoch 5 of 6."; from the second pause on there is no news."""
    window.pages.open_page(TRAINING)
    models, notices = window.models, window.notices
    models.worker.finish_requests()
    model = paths.models_dir() / "half.distill"
    for number, (ending, said) in enumerate(
        (
            (PAUSED, "Paused. The model “Half”, as it is now, is on the Models page."),
            (PAUSED, ""),
            (FINISHED, "The model “Half” is ready."),
        )
    ):
        write_model(model, replace(bells(name="Half"), model_id="e" * 32, save_date=f"2026-01-0{number + 1}T12:00:00"))
        models.await_model(ending)
        models.worker.finish_requests()
        assert said in notices.text()
        assert ("Half" in notices.text()) == bool(said)
        models.note_seen()
