"""What a movement of sliders and point leaves in the history, and what cursor and sliders show of a chosen sound."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest
import soundfile
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QSlider, QStyle, QStyleOptionSlider
from pytestqt.qtbot import QtBot

from distill.generation.history.sound_history import GeneratedEntry, GeneratedHistory, keep, set_stars
from distill.generation.map.map_chunks import Position, ShownMap
from distill.generation.recipe import MAPPED, VARIED, Recipe
from distill.gui.play import presenter, slider_gestures
from distill.gui.play.presenter import PlayPresenter
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import MODELS, PLAY
from tests.gui.conftest import double_click
from tests.gui.fakes import tone
from tests.gui.play.conftest import WAIT, ToneSession, idle


class KeepingSession(ToneSession):
    """Keeps a tone with its recipe in the history of generated sounds, as the program does."""

    def open(self, model_file: Path) -> ShownMap:
        self._map_id = "bells"
        return super().open(model_file)

    def sound_at(self, position: Position, moves: Mapping[str, float]) -> Path:
        assert self.go_on.wait(10)
        self.requests.append((position, dict(moves)))
        used = tuple(sorted(moves.items()))
        recipe = Recipe(MAPPED, "a" * 32, map=self._map_id, positions=(position,), moves=used)
        return self._known_or((position, used), "position", recipe, lambda: tone(0.1))

    def _kept(self, name: str, audio: object, recipe: Recipe) -> GeneratedEntry:
        return keep(name, audio, recipe).entry  # type: ignore[arg-type]


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeepingSession:
    own = tmp_path / "own bell.wav"
    soundfile.write(own, tone(0.3), 48_000)
    made = KeepingSession(tmp_path, own)
    monkeypatch.setattr(presenter, "MapSession", lambda: made)
    return made


def slider_of(play: PlayPresenter, name: str = "brightness") -> QSlider:
    slider = play.page.findChild(QSlider, f"{name}Slider")
    assert slider is not None
    return slider


def handle_of(slider: QSlider) -> QPoint:
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    part = QStyle.SubControl.SC_SliderHandle
    return slider.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, part, slider).center()


def heard(play: PlayPresenter, session: ToneSession, qtbot: QtBot, count: int) -> None:
    """Wait until so many sounds were generated, and the last one is the current one."""
    qtbot.waitUntil(lambda: len(session.requests) == count, timeout=WAIT)
    idle(play, qtbot)
    qtbot.waitUntil(lambda: not play._tidying.is_busy, timeout=WAIT)


def turn_wheel(slider: QSlider) -> None:
    place, up = QPointF(slider.rect().center()), QPoint(0, 120)
    event = QWheelEvent(
        place, QPointF(slider.mapToGlobal(place)), QPoint(), up, Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(slider, event)


def drag(play: PlayPresenter, session: ToneSession, qtbot: QtBot, stops: int = 3) -> None:
    """Drag a slider, and rest on the way until the sound there is heard."""
    slider = slider_of(play)
    before, start = len(session.requests), handle_of(slider)
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=start)
    for number in range(1, stops + 1):
        QTest.mouseMove(slider, start + QPoint(number * 12, 0))
        qtbot.waitUntil(lambda wanted=before + number: len(session.requests) == wanted, timeout=WAIT)  # type: ignore[misc]
        idle(play, qtbot)
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=start + QPoint(stops * 12, 0))
    heard(play, session, qtbot, before + stops)


def on_disk() -> list[Path]:
    """Return the generated sounds that are listed on the Models page, the newest first; each has its file."""
    listed = [entry.path for entry in GeneratedHistory().list()]
    folder = GeneratedHistory().file.parent
    assert sorted(listed) == sorted(folder.glob("*.wav"))
    return listed


def test_a_drag_of_a_slider_is_one_sound(play: PlayPresenter, session: KeepingSession, qtbot: QtBot) -> None:
    drag(play, session, qtbot)
    assert len(session.requests) == 3, "it was heard on the way"
    first = play.current
    assert first is not None
    assert play.page.history.sounds() == [first] == on_disk()
    position, moves = session.requests[-1]
    recipe = GeneratedHistory().list()[0].recipe
    assert (recipe.positions, dict(recipe.moves)) == ((position,), moves)
    drag(play, session, qtbot)
    assert len(on_disk()) == 2, "another drag is another sound"
    assert play.page.history.sounds() == [play.current, first]


def test_what_comes_just_before_the_release_belongs_to_the_drag(
    play: PlayPresenter, session: KeepingSession, qtbot: QtBot
) -> None:
    slider = slider_of(play)
    start = handle_of(slider)
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(slider, start + QPoint(12, 0))
    heard(play, session, qtbot, 1)
    QTest.mouseMove(slider, start + QPoint(30, 0))
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=start + QPoint(30, 0))
    assert play._tasks.is_busy, "it is generated at once"
    heard(play, session, qtbot, 2)
    assert play.page.history.sounds() == [play.current] == on_disk()
    assert session.requests[1][1] == dict(play.page.sliders.moves())


@pytest.mark.parametrize("way", ["wheel", "key", "controller", "point"])
def test_moves_without_a_pause_are_one_sound(
    play: PlayPresenter, session: KeepingSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    slider = slider_of(play)

    def move(number: int) -> None:
        if way == "wheel":
            turn_wheel(slider)
        elif way == "key":
            QTest.keyClick(slider, Qt.Key.Key_Right)
        elif way == "controller":
            play._control.slider_moved.emit("brightness", number / 10)
        else:
            play._control.point_moved.emit(number / 10, None)

    play._gestures._pause.setInterval(60_000)
    for number in (1, 2, 3):
        move(number)
        heard(play, session, qtbot, number)
    first = play.current
    assert play.page.history.sounds() == [first] == on_disk()
    play._gestures._pause.setInterval(50)
    qtbot.waitUntil(lambda: play._gestures.current is None)
    play._gestures._pause.setInterval(60_000)
    move(4)
    heard(play, session, qtbot, 4)
    assert play.page.history.sounds() == [play.current, first]
    assert len(on_disk()) == 2
    assert 900 <= slider_gestures.PAUSE <= 1500


def test_a_sound_that_the_user_has_used_stays(play: PlayPresenter, session: KeepingSession, qtbot: QtBot) -> None:
    slider, kept = slider_of(play), list[Path]()
    play._gestures._pause.setInterval(60_000)

    def move() -> None:
        count = len(session.requests) + 1
        turn_wheel(slider)
        heard(play, session, qtbot, count)

    def star() -> None:
        set_stars([GeneratedHistory().list()[0]], True)

    def drag_out() -> None:
        play.page.history.mimeData([play.page.history.item(0)])

    def hold() -> None:
        play.page.pads.strike(2)

    for use in (hold, star, drag_out, play.page.sound.morph.click):
        move()
        assert play.current is not None
        kept.append(play.current)
        use()
    play.page.sound.morph.click()  # given up
    move()
    move()
    play.page.pads.hold(2, None)  # it can be put back
    assert play.current is not None
    assert set(on_disk()) == {*kept, play.current}


def test_a_sound_of_before_that_is_met_again_stays(play: PlayPresenter, session: KeepingSession, qtbot: QtBot) -> None:
    slider = slider_of(play)
    turn_wheel(slider)
    heard(play, session, qtbot, 1)
    first = play.current
    play._gestures.end()
    play._gestures._pause.setInterval(60_000)
    for count, value in enumerate((20, 3, 20, 25), 2):
        slider.setValue(value)
        heard(play, session, qtbot, count)
        assert play.current is not None
        assert play.current.exists(), "a sound that was replaced is generated again"
    assert play.current is not None
    assert play.page.history.sounds() == [play.current, first]
    assert set(on_disk()) == {first, play.current}


def test_a_sound_that_comes_after_the_page_was_left_takes_none_away_that_was_starred(
    play: PlayPresenter, window: MainWindow, session: KeepingSession, qtbot: QtBot
) -> None:
    turn_wheel(slider_of(play))
    heard(play, session, qtbot, 1)
    first = play.current
    session.go_on.clear()
    turn_wheel(slider_of(play))
    qtbot.waitUntil(lambda: play._tasks.is_busy, timeout=WAIT)
    window.pages.open_page(MODELS)
    set_stars([GeneratedHistory().list()[0]], True)
    session.go_on.set()
    heard(play, session, qtbot, 2)
    assert first in on_disk()
    assert len(on_disk()) == 2


@pytest.mark.parametrize("way", ["handle", "groove", "key"])
def test_a_slider_is_set_back_as_it_is_moved(
    play: PlayPresenter, session: KeepingSession, qtbot: QtBot, way: str
) -> None:
    slider, sent = slider_of(play), list[tuple[str, float]]()
    slider.setValue(20)
    heard(play, session, qtbot, 1)
    bright = play.current
    play._gestures.end()
    play.page.sliders.moved.connect(lambda *move: sent.append(move))
    if way == "key":
        QTest.keyClick(slider, Qt.Key.Key_Delete)
    else:
        at = handle_of(slider) if way == "handle" else QPoint(slider.width() // 2, slider.height() // 2)
        QTest.mouseClick(slider, Qt.MouseButton.LeftButton, pos=at)
        QTest.mouseDClick(slider, Qt.MouseButton.LeftButton, pos=at)
        QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=at)
    assert slider.value() == 0
    assert sent[-1] == ("brightness", 0.0), "whoever follows the sliders by OSC hears of it"
    qtbot.waitUntil(lambda: session.requests[-1][1] == {}, timeout=WAIT)
    heard(play, session, qtbot, len(session.requests))
    assert play.page.history.sounds() == [play.current, bright], "it is one movement, which leaves one sound"
    assert set(on_disk()) == {play.current, bright}
    for tip in (slider.toolTip(), play.page.sound.strength.toolTip()):
        assert "double click or Delete" in tip


def test_the_distance_of_variations_is_set_back(play: PlayPresenter, session: KeepingSession) -> None:
    strength = play.page.sound.strength
    first = strength.value()
    play.page.sound.show_has_sound(True)
    for set_back in (partial(double_click, strength), partial(QTest.keyClick, strength, Qt.Key.Key_Backspace)):
        strength.setValue(80)
        set_back()
        assert strength.value() == first
    assert session.requests == []


def test_cursor_and_sliders_show_the_sound_that_is_chosen(
    play: PlayPresenter, window: MainWindow, session: KeepingSession, qtbot: QtBot
) -> None:
    page = play.page
    page.map.move_cursor((0.2, 0.7))
    slider_of(play).setValue(20)
    heard(play, session, qtbot, 1)
    bright = play.current
    assert bright is not None
    play._gestures.end()
    page.map.move_cursor((0.6, 0.4))
    slider_of(play, "loudness").setValue(-10)
    heard(play, session, qtbot, 2)
    quiet, count = play.current, len(session.requests)
    assert quiet is not None
    page.pads.hold(0, bright)
    page.pads.hold(1, session.own)

    def shown() -> tuple[int, int, Position]:
        return slider_of(play).value(), slider_of(play, "loudness").value(), page.map.cursor_position

    QTest.mouseClick(page.pads.pads[0], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: shown() == (20, 0, (0.2, 0.7)), timeout=WAIT)
    page.tabs.setCurrentIndex(2)
    row = page.history.sounds().index(quiet)
    page.history.setCurrentRow(row)
    QTest.keyClick(page.history, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: shown() == (20, -10, (0.6, 0.4)), timeout=WAIT)
    page.pads.strike(1)
    qtbot.waitUntil(lambda: shown()[:2] == (0, 0), timeout=WAIT)
    qtbot.wait(250)
    assert len(session.requests) == count, "showing settings generates nothing"
    page.pads.strike(0)
    qtbot.waitUntil(lambda: shown() == (20, 0, (0.2, 0.7)), timeout=WAIT)
    slider_of(play, "loudness").setValue(10)
    heard(play, session, qtbot, count + 1)
    position, moves = session.requests[-1]
    assert position == (0.2, 0.7)
    assert moves == pytest.approx({"brightness": 1.0, "loudness": 0.5}), "the sound that was chosen is changed"


def test_a_dot_sets_the_sliders_to_their_middle(play: PlayPresenter, session: KeepingSession, qtbot: QtBot) -> None:
    page, map_shown = play.page, play.page.map.shown
    assert map_shown is not None
    for row, way in ((1, "click"), (0, "list"), (1, "hover")):
        slider_of(play).setValue(15)
        heard(play, session, qtbot, len(session.requests) + 1)
        page.map.move_cursor((0.05, 0.3))
        if way == "click":
            QTest.mouseClick(
                page.map, Qt.MouseButton.LeftButton, pos=page.map.pixel_of(map_shown.positions[row]).toPoint()
            )
        elif way == "list":
            page.tabs.setCurrentIndex(1)
            listed = [page.near.item(n).text() for n in range(page.near.count())]
            page.near.setCurrentRow(listed.index("bell <0>"))
            QTest.keyClick(page.near, Qt.Key.Key_Return)
            assert [page.near.item(n).text() for n in range(page.near.count())] == listed, "the list stays"
        else:
            page.hover.setChecked(True)
            page.map._hover(row)
        assert play.current == session.own
        assert slider_of(play).value() == 0
        assert page.map.cursor_position in map_shown.positions[:2]
    count = len(session.requests)
    slider_of(play).setValue(15)
    page.map.choose_dot(9)  # its file is not known: the model's copy is generated
    heard(play, session, qtbot, count + 1)
    assert session.requests[-1] == (map_shown.positions[9], {})


def test_sliders_that_are_held_or_moved_again_are_left_alone(
    play: PlayPresenter, session: KeepingSession, qtbot: QtBot
) -> None:
    slider, start = slider_of(play), handle_of(slider_of(play))
    play.page.pads.hold(0, session.own)
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(slider, start + QPoint(20, 0))
    value = slider.value()
    assert value > 0
    play._control.pad_played.emit(0)
    assert play.current == session.own
    qtbot.wait(250)
    assert slider.value() == value
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=start + QPoint(20, 0))
    idle(play, qtbot)
    play.page.history.sound_chosen.emit(session.own)
    slider.setValue(value + 1)
    qtbot.wait(250)
    assert slider.value() == value + 1


def test_a_sound_of_another_page_is_shown_once_its_map_is_open(
    play: PlayPresenter, window: MainWindow, session: KeepingSession, qtbot: QtBot
) -> None:
    recipe = Recipe(MAPPED, "a" * 32, map="bells", positions=((0.25, 0.75),), moves=(("brightness", -0.75),))
    sound = keep("made before", tone(0.1), recipe).path
    others = [Recipe(MAPPED, "a" * 32, map="drums", positions=((0.1, 0.1),)), Recipe(VARIED, "a" * 32)]
    window.pages.open_page(MODELS)
    play.take_sound(sound)
    assert window.pages.currentIndex() == PLAY
    qtbot.waitUntil(lambda: slider_of(play).value() == -15, timeout=WAIT)
    assert play.page.map.cursor_position == (0.25, 0.75)
    for number, other in enumerate(others):
        play.take_sound(keep(f"other {number}", tone(0.1), other).path)
        qtbot.waitUntil(lambda: slider_of(play).value() == 0, timeout=WAIT)
        assert play.page.map.cursor_position == (0.25, 0.75), "it lies nowhere on this map"
        play.take_sound(sound)
        qtbot.waitUntil(lambda: slider_of(play).value() == -15, timeout=WAIT)
