"""Sounds of the other pages that are taken over by the Play page."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QItemSelectionModel, QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from distill import paths
from distill.generation.history import sound_history
from distill.generation.map.map_chunks import Position
from distill.generation.recipe import MAPPED, Recipe
from distill.gui.generate.history_model import FACTS_ROLE
from distill.gui.play.pads.pad_grid import COUNT
from distill.gui.play.presenter import PlayPresenter
from distill.gui.previews.panel import PreviewMenu
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS, PLAY, TRAINING
from tests.gui.fakes import make_previews, tone
from tests.gui.generate.test_history import keep, recipe
from tests.gui.play.conftest import WAIT, ToneSession, entry_of, idle
from tests.library.test_model_library import bells, write_model

CHOOSE = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
ADD = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows


def own_action(window: MainWindow, name: str, rows: int = 1) -> QAction:
    """Choose the first tones in the list of sounds and return an action of its menu."""
    view = window.browser.view
    tones = [i for row in range(view.model().rowCount()) if (i := view.model().index(row, 0)).data().startswith("tone")]
    view.setCurrentIndex(tones[0])
    for index in tones[:rows]:
        view.selectionModel().select(index, ADD if index.row() != tones[0].row() else CHOOSE)
    return view.actions_of_rows[name]


def test_an_own_sound_is_varied(play: PlayPresenter, loaded: MainWindow, session: ToneSession, qtbot: QtBot) -> None:
    loaded.pages.open_page(TRAINING)
    own_action(loaded, "use").trigger()
    assert loaded.pages.currentIndex() == PLAY
    assert play.current is not None
    assert play.current.name == "tone 0.wav"
    assert play.page.status.text() == "tone 0"
    vary = play.page.findChild(QPushButton, "varyButton")
    assert vary is not None
    assert vary.isEnabled()
    vary.click()
    qtbot.waitUntil(lambda: len(session.requests) == 8)
    idle(play, qtbot)
    assert {request[0].name for request in session.requests} == {"tone 0.wav"}


def test_own_sounds_are_put_on_empty_pads(play: PlayPresenter, loaded: MainWindow) -> None:
    loaded.pages.open_page(TRAINING)
    play.page.tabs.setCurrentIndex(2)
    play.page.pads.hold(0, Path("held.wav"))
    own_action(loaded, "pad", rows=3).trigger()
    assert loaded.pages.currentIndex() == PLAY
    expected = ["held.wav", "tone 0.wav", "tone 1.wav", "tone 2.wav"]
    assert [pad.sound.name for pad in play.page.pads.pads if pad.sound] == expected
    assert play.page.pads.isVisible()
    for number in range(COUNT - 1):
        play.page.pads.hold(number, Path("held.wav"))
    loaded.pages.open_page(TRAINING)
    own_action(loaded, "pad", rows=3).trigger()
    assert play.page.pads.pads[COUNT - 1].sound == loaded.browser.usable_paths()[0]
    assert "No pad is empty for 2 of 3 sounds" in loaded.notices.text()


def test_a_sound_that_was_skipped_cannot_be_used(play: PlayPresenter, loaded: MainWindow) -> None:
    view = loaded.browser.view
    rows = {view.model().index(row, 0).data(): row for row in range(view.model().rowCount())}
    view.setCurrentIndex(view.model().index(rows["text.wav"], 0))
    assert not view.actions_of_rows["use"].isEnabled()
    assert not view.actions_of_rows["pad"].isEnabled()


def test_a_sound_stays_when_the_page_opens_another_map(play: PlayPresenter, loaded: MainWindow, qtbot: QtBot) -> None:
    loaded.pages.open_page(TRAINING)
    play.show_model(entry_of(Path("other.distill")))
    own_action(loaded, "use").trigger()
    loaded.pages.open_page(TRAINING)
    own_action(loaded, "pad").trigger()
    idle(play, qtbot)
    assert play.page.map.shown is not None
    assert play.current is not None
    assert play.current.name == "tone 0.wav"
    assert play.page.pads.pads[0].sound == play.current


def test_a_preview_is_used_and_put_on_a_pad(
    play: PlayPresenter, window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    window.pages.open_page(TRAINING)
    for path in make_previews(tmp_path, 0):
        window.previews.add(path)
    view = window.previews.view
    view.setCurrentIndex(view.model().index(0, 0))
    for name in ("use", "pad"):
        view.menu_requested.emit(QPoint(0, 0))
        menu = window.findChild(PreviewMenu)
        assert menu is not None
        getattr(menu, name).trigger()
        menu.close()
        qtbot.waitUntil(lambda: window.findChild(PreviewMenu) is None)
    assert window.pages.currentIndex() == PLAY
    assert play.current is not None
    assert play.current.name == "preview_epoch0000_00.wav"
    assert play.page.pads.pads[0].sound == play.current


def test_a_generated_sound_is_used_and_several_are_put_on_pads(
    play: PlayPresenter, window: MainWindow, qtbot: QtBot
) -> None:
    files = keep([recipe(n) for n in range(2)])
    window.pages.open_page(MODELS)
    panel = window.making.panel.history
    qtbot.waitUntil(lambda: panel.table.rowCount() == 2)
    view = panel.view
    view.setCurrentIndex(view.model().index(0, 0))
    for name, rows in (("made use", 1), ("made pad", 2)):
        for row in range(rows):
            view.selectionModel().select(view.model().index(row, 0), QItemSelectionModel.SelectionFlag.Select)
        menu = panel.make_menu()
        action = menu.findChild(QAction, name)
        assert action is not None
        assert action.isEnabled()
        action.trigger()
        menu.deleteLater()
    assert window.pages.currentIndex() == PLAY
    assert play.current in files
    assert {pad.sound for pad in play.page.pads.pads[:2]} == set(files)


def test_another_model_is_chosen_on_the_page(play: PlayPresenter, window: MainWindow, qtbot: QtBot) -> None:
    combo = play.page.models
    assert not combo.isVisible(), "there is none yet"
    for name, model_id in (("Bells", "a" * 32), ("Drums <1>", "b" * 32)):
        write_model(paths.models_dir() / f"{model_id[0]}.distill", bells(name=name, model_id=model_id))
    window.models.refresh()
    qtbot.waitUntil(lambda: combo.count() == 2, timeout=WAIT)
    assert combo.isVisible()
    qtbot.waitUntil(lambda: combo.currentIndex() >= 0)
    other = combo.findText("Bells" if combo.currentText() != "Bells" else "Drums <1>")
    combo.setCurrentIndex(other)
    combo.activated.emit(other)
    chosen = window.models_page.list.current()
    assert chosen is not None
    assert chosen.name == combo.currentText()
    assert window.pages.currentIndex() == PLAY
    idle(play, qtbot)
    qtbot.waitUntil(lambda: play.page.map.shown is not None, timeout=WAIT)


def test_what_is_made_on_the_page_is_among_the_generated_sounds(
    play: PlayPresenter, window: MainWindow, session: ToneSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sound_at(position: Position, moves: Mapping[str, float]) -> Path:
        made = Recipe(MAPPED, "ab" * 16, "Glass bells", positions=(position,), moves=tuple(moves.items()), map="c" * 32)
        return sound_history.keep("bell + bell", tone(0.2).astype(np.float32), made).path

    monkeypatch.setattr(session, "sound_at", sound_at)
    play.page.map.position_chosen.emit(0.5, 0.25)
    idle(play, qtbot)
    assert play.current is not None
    window.pages.open_page(MODELS)
    made = window.making.panel.history
    qtbot.waitUntil(lambda: made.filtered.rowCount() == 1, timeout=WAIT)
    index = made.filtered.index(0, 0)
    assert index.data() == "bell + bell"
    assert "from the map" in index.data(FACTS_ROLE)
    assert "0.500, 0.250" in index.data(Qt.ItemDataRole.ToolTipRole)
    made.view.setCurrentIndex(index)
    actions = {action.objectName(): action for action in made.make_menu().actions()}
    assert actions["made again"].isEnabled()
    assert not actions["made settings"].isEnabled(), "no form shows a position on a map"
    made.filtered.setData(index, "Gong")
    qtbot.waitUntil(lambda: play.page.history.item(0).text() == "Gong", timeout=WAIT)
    assert play.current.name == "Gong.wav"
    assert play.page.history.sounds() == [play.current]
