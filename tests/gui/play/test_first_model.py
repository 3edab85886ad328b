"""After a start, the Play page has the model that was played last."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from distill import paths
from distill.gui.play.presenter import PlayPresenter
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS, PLAY
from distill.settings import WindowSettings
from tests.gui.conftest import close, make_window
from tests.gui.fakes import FakeDevice, FakeEngine
from tests.gui.play.conftest import WAIT, ToneSession
from tests.library.test_model_library import bells, write_model


def add_model(number: int, name: str, has_map: bool) -> Path:
    """Write a model; one with a higher number is newer."""
    metadata = bells(
        name=name, model_id=f"{number:x}" * 32, save_date=f"2026-01-0{number}T12:00:00+00:00", training_date=""
    )
    return write_model(paths.models_dir() / f"model {number}.distill", metadata, map={} if has_map else None)


def played(window: MainWindow) -> str:
    """Return the name of the model whose map is shown, or an empty text."""
    play = window.parts.play
    return play.page.models.currentText() if play.page.map.shown is not None else ""


def await_map(window: MainWindow, qtbot: QtBot, name: str) -> PlayPresenter:
    window.pages.open_page(PLAY)
    qtbot.waitUntil(lambda: played(window) == name, timeout=WAIT)
    return window.parts.play


@pytest.fixture
def models(session: ToneSession) -> list[Path]:
    """Two models with a map, and the newest one, of a paused run, without."""
    return [add_model(1, "Rain", True), add_model(2, "Bells", True), add_model(3, "Paused", False)]


def test_the_newest_model_with_a_map_is_there_at_first(models: list[Path], window: MainWindow, qtbot: QtBot) -> None:
    await_map(window, qtbot, "Bells")
    window.pages.open_page(MODELS)
    assert window.models_page.list.table.items
    current = window.models_page.list.current()
    assert current is not None
    assert current.path == models[1], "it is the one of the Models page, too"


def test_without_any_map_the_newest_model_is_there(session: ToneSession, window: MainWindow, qtbot: QtBot) -> None:
    files = [add_model(1, "Rain", False), add_model(2, "Bells", False)]
    window.models.refresh()
    qtbot.waitUntil(lambda: window.models_page.list.current() is not None, timeout=WAIT)
    current = window.models_page.list.current()
    assert current is not None
    assert current.path == files[1]


def test_the_model_played_last_comes_back_after_a_restart(
    models: list[Path], window: MainWindow, qtbot: QtBot, engine: FakeEngine, device: FakeDevice
) -> None:
    await_map(window, qtbot, "Bells")
    combo = window.parts.play.page.models
    combo.setCurrentIndex(combo.findText("Rain"))
    combo.activated.emit(combo.currentIndex())
    await_map(window, qtbot, "Rain")
    close(qtbot, window)
    assert WindowSettings.load().played_model == str(models[0])
    again = make_window(qtbot, engine, device)
    try:
        await_map(again, qtbot, "Rain")
        close(qtbot, again)
        models[0].unlink()
        again = make_window(qtbot, engine, device)
        await_map(again, qtbot, "Bells")
    finally:
        close(qtbot, again)


def test_a_model_that_was_just_finished_can_be_played_at_once(
    models: list[Path], window: MainWindow, qtbot: QtBot
) -> None:
    await_map(window, qtbot, "Bells")
    finished = add_model(4, "Finished", True)
    window.models.await_model()
    qtbot.waitUntil(lambda: "“Finished” is ready" in window.notices.text(), timeout=WAIT)
    assert played(window) == "Bells", "what is played stays"
    action = window.notices.notices[-1].action
    assert action is not None
    action.do()
    await_map(window, qtbot, "Finished")
    window.save_settings()
    assert WindowSettings.load().played_model == str(finished)


def test_the_first_model_of_all_is_chosen_when_its_run_ends(
    session: ToneSession, window: MainWindow, qtbot: QtBot
) -> None:
    window.models.refresh()
    qtbot.waitUntil(lambda: not window.models.worker.is_busy, timeout=WAIT)
    add_model(1, "Rain", True)
    window.models.await_model()
    await_map(window, qtbot, "Rain")
