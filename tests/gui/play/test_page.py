"""The Play page in the real window, with a map of twenty dots and a session that writes tones."""

import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QEvent, QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QPushButton,
    QSlider,
)
from pytestqt.qtbot import QtBot

from distill.control.pads_keys_and_knobs import PAD_KEYS
from distill.files import write_whole
from distill.generation.kits.kit_sounds import KitPlan
from distill.generation.map.map_chunks import ShownMap
from distill.generation.map.newness import COPY, NEW, JudgedSound, Verdict
from distill.gui.play.export import presenter as export_presenter
from distill.gui.play.export.kit_dialog import KitDialog
from distill.gui.play.pads.pad_grid import PadGrid
from distill.gui.play.presenter import PlayPresenter
from distill.gui.play.sound_lists import LISTED_WORD_ROLE
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import TRAINING
from distill.playback.player import PlayerState
from distill.settings import WindowSettings
from tests.gui.conftest import double_click
from tests.gui.fakes import tone
from tests.gui.play.conftest import WAIT, ToneSession, entry_of, idle


def test_sliders_change_the_sound_at_the_cursor(play: PlayPresenter, session: ToneSession, qtbot: QtBot) -> None:
    slider = play.page.findChild(QSlider, "brightnessSlider")
    assert slider is not None
    slider.setValue(slider.maximum())
    qtbot.waitUntil(lambda: len(session.requests) == 1, timeout=WAIT)
    idle(play, qtbot)
    assert session.requests[0] == (play.page.map.cursor_position, {"brightness": 1.5})


@pytest.mark.parametrize("value", [1, 30, -30])
def test_a_slider_settles_after_the_same_time_wherever_it_is(play: PlayPresenter, qtbot: QtBot, value: int) -> None:
    slider, timer = play.page.findChild(QSlider, "brightnessSlider"), play.page.sliders.findChild(QTimer)
    assert slider is not None
    assert timer is not None
    interval = timer.interval()
    assert interval > 100
    slider.setValue(value)
    assert timer.isActive()
    assert timer.interval() == interval
    qtbot.waitUntil(lambda: play.current is not None, timeout=WAIT)
    idle(play, qtbot)


def test_tab_leads_to_the_sliders_of_the_model_and_past_the_pads(
    play: PlayPresenter, window: MainWindow, qtbot: QtBot
) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    play.page.map.setFocus()
    qtbot.waitUntil(play.page.map.hasFocus)
    names = []
    for _ in range(80):
        QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Tab)
        focus = QApplication.focusWidget()
        assert focus is not None
        names.append(focus.objectName())
        if focus is play.page.map:
            break
    start = names.index("soundWave")
    assert names[start : start + 3] == ["soundWave", "brightnessSlider", "loudnessSlider"]
    for name in ("pad16", "fillPadsButton", "trainingPageButton", "mapColorCombo", "hoverPlayCheck", "modelMap"):
        assert name in names


def test_pads_are_filled_and_played_by_mouse_and_key(play: PlayPresenter, session: ToneSession, qtbot: QtBot) -> None:
    page = play.page
    pads = page.findChild(PadGrid, "padGrid")
    assert pads is not None
    fill = page.findChild(QPushButton, "fillPadsButton")
    assert fill is not None
    QTest.mouseClick(fill, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(pads.sounds()) == 16, timeout=WAIT)
    idle(play, qtbot)
    assert len({request[0] for request in session.requests}) == 16
    played: list[int] = []
    pads.pressed.connect(played.append)
    QTest.mousePress(pads.pads[2], Qt.MouseButton.LeftButton)
    QTest.mouseRelease(pads.pads[2], Qt.MouseButton.LeftButton)
    QTest.keyClick(page.map, Qt.Key.Key_W, Qt.KeyboardModifier.NoModifier)
    assert played == [2, 5]
    assert play.current == pads.pads[5].sound, "what can be varied is what was played last"
    QTest.keyClick(pads.pads[5], Qt.Key.Key_Delete)
    assert pads.pads[5].sound is None
    play.play_position((0.3, 0.3))
    qtbot.waitUntil(lambda: play.current is not None, timeout=WAIT)
    idle(play, qtbot)
    pads.strike(5)
    assert pads.pads[5].sound == play.current, "an empty pad takes the current sound"


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_a_pad_with_the_focus_is_filled_and_played_by_a_key(
    play: PlayPresenter, window: MainWindow, session: ToneSession, tmp_path: Path, qtbot: QtBot, key: Qt.Key
) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    held = tmp_path / "held.wav"
    soundfile.write(held, tone(0.2), 48_000)
    pads, pressed, released = play.page.pads, list[int](), list[int]()
    pads.pressed.connect(pressed.append)
    pads.released.connect(released.append)
    pads.hold(3, held)
    play.page.history.sound_chosen.emit(session.own)
    playback = play._player.playback
    qtbot.waitUntil(lambda: playback.status.path == session.own, timeout=WAIT)
    playback.stop()
    qtbot.waitUntil(lambda: playback.status.state is PlayerState.IDLE, timeout=WAIT)
    for number in (3, 4):
        pads.pads[number].setFocus()
        qtbot.waitUntil(pads.pads[number].hasFocus, timeout=WAIT)
        QTest.keyClick(pads.pads[number], key)
    assert pressed == [3]
    assert released[0] == 3
    assert pads.pads[4].sound == held, "the empty pad takes the current sound"


@pytest.mark.parametrize("focus", ["map", "near", "history"])
def test_every_key_of_a_pad_reaches_it(play: PlayPresenter, tmp_path: Path, focus: str) -> None:
    pads, played = play.page.pads, list[int]()
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(100), 48_000)
    for number in range(16):
        pads.hold(number, path)
    play.page.history.add(path)
    pads.pressed.connect(played.append)
    for key in PAD_KEYS:
        QTest.keyClick(getattr(play.page, focus), Qt.Key(ord(key)))
    assert played == list(range(16))


@pytest.mark.parametrize("leave", ["another page", "another window"])
def test_a_pad_whose_key_is_down_is_released_when_the_page_is_left(
    play: PlayPresenter, window: MainWindow, tmp_path: Path, leave: str
) -> None:
    path, released = tmp_path / "a.wav", list[int]()
    soundfile.write(path, np.zeros(100), 48_000)
    play.page.pads.hold(4, path)
    play.page.pads.released.connect(released.append)
    QTest.keyPress(play.page.map, Qt.Key.Key_Q)
    assert play.page.pads.pads[4].isDown()
    if leave == "another page":
        window.pages.open_page(TRAINING)
    else:
        QApplication.sendEvent(play.page, QEvent(QEvent.Type.WindowDeactivate))
    assert not play.page.pads.pads[4].isDown()
    assert released == [4]


def test_variations_go_to_the_pads(play: PlayPresenter, session: ToneSession, qtbot: QtBot) -> None:
    vary = play.page.findChild(QPushButton, "varyButton")
    strength = play.page.findChild(QSlider, "strengthSlider")
    assert vary is not None
    assert strength is not None
    assert not vary.isEnabled(), "there is no sound to vary yet"
    play.play_position((0.3, 0.3))
    qtbot.waitUntil(vary.isEnabled, timeout=WAIT)
    idle(play, qtbot)
    strength.setValue(80)
    source = play.current
    QTest.mouseClick(vary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(play.page.pads.sounds()) == 8, timeout=WAIT)
    idle(play, qtbot)
    assert session.requests[1:] == [(source, 0.8)] * 8


def test_of_waiting_requests_the_newest_is_carried_out(play: PlayPresenter, session: ToneSession, qtbot: QtBot) -> None:
    session.go_on.clear()
    for x in (0.1, 0.2, 0.3, 0.4):
        play.play_position((x, 0.5))
    session.go_on.set()
    qtbot.waitUntil(lambda: len(session.requests) == 2, timeout=WAIT)
    idle(play, qtbot)
    assert [request[0][0] for request in session.requests] == [0.1, 0.4]


def test_a_kit_and_a_sound_are_written(
    play: PlayPresenter, session: ToneSession, qtbot: QtBot, tmp_path: Path, window: MainWindow
) -> None:
    play.fill_pads()
    qtbot.waitUntil(lambda: len(play.page.pads.sounds()) == 16, timeout=WAIT)
    idle(play, qtbot)
    export = play.page.findChild(QPushButton, "exportKitButton")
    assert export is not None
    export.click()
    asked = window.findChild(KitDialog, "kitDialog")
    assert asked is not None
    assert (asked.turns.value(), asked.layers.value()) == (2, 2), "as in the terminal"
    assert "Up to 64 files" in asked.text.text()
    asked.turns.setValue(1)
    asked.layers.setValue(1)
    assert asked.text.text().startswith("One file for each pad: 16.")
    asked.browse.click()
    dialog = asked.findChild(QFileDialog, "kitFolderDialog")
    assert dialog is not None
    dialog.fileSelected.emit(str(tmp_path))
    dialog.close()
    asked.name.selectAll()
    QTest.keyClicks(asked.name, "my kit")
    asked.export.click()
    qtbot.waitUntil(lambda: (tmp_path / "my kit").exists(), timeout=WAIT)
    idle(play, qtbot)
    assert (tmp_path / "my kit" / "my-kit.sfz").is_file()
    assert "The kit is in" in window.notices.text()
    source = play.page.pads.sounds()[0]
    play.exports.save_as(source, tmp_path / "saved.wav")
    qtbot.waitUntil(lambda: "saved.wav is saved" in window.notices.text(), timeout=WAIT)
    assert np.array_equal(soundfile.read(tmp_path / "saved.wav")[0], soundfile.read(source)[0])
    (tmp_path / "a file").touch()
    play.exports.save_as(source, tmp_path / "a file" / "saved.wav")
    qtbot.waitUntil(lambda: "cannot be written" in window.notices.text(), timeout=WAIT)


def test_return_alone_exports_kits_under_free_names_where_the_last_one_is(
    play: PlayPresenter, session: ToneSession, window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    kept = tmp_path / "Glass bells kit" / "mine.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    (tmp_path / "glass bells kit 2").touch()
    play.exports.folder = tmp_path
    play.page.pads.hold(1, session.own)
    play.page.pads.hold(4, session.own)
    for number in (3, 4):
        play.page.pad_panel.export_kit.click()
        asked = window.findChild(KitDialog, "kitDialog")
        assert asked is not None
        qtbot.waitUntil(lambda asked=asked, n=number: asked.name.text() == f"Glass bells kit {n}")  # type: ignore[misc]
        assert asked.name.hasFocus() or not window.isActiveWindow()
        QTest.keyClick(asked.name, Qt.Key.Key_Return)
        folder = tmp_path / f"Glass bells kit {number}"
        qtbot.waitUntil(folder.exists, timeout=WAIT)
        idle(play, qtbot)
        qtbot.waitUntil(lambda: window.findChild(KitDialog, "kitDialog") is None)
        names = sorted(path.name.removesuffix(".wav").rsplit(" ", 1)[0] for path in (folder / "Samples").iterdir())
        assert names == ["02 own bell", "05 own bell"], "by the pads' numbers and names; the pitch follows"
    assert kept.read_text() == "mine"
    play.exports.export_kit(folder, KitPlan(turns=1, layers=1))  # as where a name was taken since it was proposed
    qtbot.waitUntil((tmp_path / "Glass bells kit 4 2").exists, timeout=WAIT)
    idle(play, qtbot)
    window.save_settings()
    assert WindowSettings.load().play_folder == str(tmp_path)


def test_the_folder_of_the_last_session_is_proposed(play: PlayPresenter, window: MainWindow, tmp_path: Path) -> None:
    assert play.exports.folder != Path.home(), "it begins with the folder of music"
    play.restore(WindowSettings(play_folder=str(tmp_path / "gone")))
    play.page.pads.hold(0, tmp_path / "a.wav")
    play.page.pad_panel.export_kit.click()
    asked = window.findChild(KitDialog, "kitDialog")
    assert asked is not None
    assert asked.position.text() == str(tmp_path / "gone")
    assert asked.target == tmp_path / "gone" / "Glass bells kit"
    asked.name.setText("Tom/Snare: *")
    assert asked.target == tmp_path / "gone" / "Tom-Snare"
    asked.reject()


def test_the_session_is_closed_with_the_window(
    play: PlayPresenter, session: ToneSession, window: MainWindow, qtbot: QtBot
) -> None:
    window.quit_now()
    qtbot.waitUntil(lambda: session.is_closed, timeout=WAIT)


def test_sounds_are_morphed_extended_and_repainted(play: PlayPresenter, session: ToneSession, qtbot: QtBot) -> None:
    sound, view = play.page.sound, play.page.map
    play.play_position((0.3, 0.3))
    qtbot.waitUntil(lambda: play.current is not None and sound.wave.seconds > 0, timeout=WAIT)
    idle(play, qtbot)
    first = play.current
    sound.length.setValue(3.0)
    sound.extend.click()
    qtbot.waitUntil(lambda: play.current != first, timeout=WAIT)
    idle(play, qtbot)
    assert session.requests[-1] == (first, 3.0)
    longer = play.current
    qtbot.waitUntil(lambda: sound.wave.seconds > 0, timeout=WAIT)
    assert not sound.repaint_mark.isEnabled(), "nothing is marked yet"
    QTest.mousePress(sound.wave, Qt.MouseButton.LeftButton, pos=QPoint(sound.wave.width() // 4, 10))
    QTest.mouseMove(sound.wave, QPoint(sound.wave.width() // 2, 10))
    QTest.mouseRelease(sound.wave, Qt.MouseButton.LeftButton, pos=QPoint(sound.wave.width() // 2, 10))
    sound.repaint_mark.click()
    qtbot.waitUntil(lambda: play.current != longer, timeout=WAIT)
    idle(play, qtbot)
    source, part = session.requests[-1]
    assert source == longer
    assert part == pytest.approx((0.05, 0.1), abs=0.005)
    painted = play.current
    sound.morph.click()
    shown = view.shown
    assert shown is not None
    play.play_dot(0)
    qtbot.waitUntil(lambda: len(play.page.pads.sounds()) == 8, timeout=WAIT)
    idle(play, qtbot)
    assert session.requests[-1] == (painted, session.own)
    assert not sound.morph.isChecked()


def test_a_mark_by_keyboard(play: PlayPresenter, qtbot: QtBot) -> None:
    wave = play.page.sound.wave
    play.play_position((0.3, 0.3))
    qtbot.waitUntil(lambda: wave.seconds > 0, timeout=WAIT)
    idle(play, qtbot)
    QTest.keyClick(wave, Qt.Key.Key_Right)
    QTest.keyClick(wave, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert wave.mark == pytest.approx((0.27, 0.52))
    assert "Marked from 0.05 to 0.10 s" in wave.accessibleDescription()
    QTest.keyClick(wave, Qt.Key.Key_Escape)
    assert wave.mark is None


def test_how_new_a_sound_is_is_said_and_heard(play: PlayPresenter, session: ToneSession, qtbot: QtBot) -> None:
    sound = play.page.sound
    play.play_position((0.3, 0.3))
    qtbot.waitUntil(lambda: play.current is not None, timeout=WAIT)
    idle(play, qtbot)
    first = play.current
    wanted = "New. Sounds most like bell <0>"
    qtbot.waitUntil(lambda: sound.verdict.text() == wanted, timeout=WAIT)
    assert play.page.history.item(0).data(LISTED_WORD_ROLE) == "new"
    sound.compare.click()
    playback = play._player.playback
    qtbot.waitUntil(lambda: playback.status.pair == (first, session.own), timeout=WAIT)
    assert playback.status.path == first
    sound.compare.click()
    qtbot.waitUntil(lambda: playback.status.path == session.own, timeout=WAIT)
    play.play_path([(0.2, 0.2), (0.8, 0.8)])
    qtbot.waitUntil(lambda: play.current not in (first, session.own), timeout=WAIT)
    idle(play, qtbot)
    qtbot.waitUntil(lambda: sound.verdict.text().startswith("Sounds like a copy of"), timeout=WAIT)
    assert [path.stem.split()[0] for path in play.page.history.sounds()] == ["path", "position"]
    play.page.history.sound_chosen.emit(first)
    assert play.current == first


def test_a_file_that_was_written_anew_is_shown_and_judged_anew(
    play: PlayPresenter, session: ToneSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, page = session.folder / "snare.wav", play.page
    thumbnails, wave = page.pads.pads[0]._thumbnails, page.sound.wave

    def write(level: float, seconds: float, word: str) -> None:
        soundfile.write(path, tone(seconds) * np.float32(level / 0.3), 48_000)
        monkeypatch.setattr(session, "judged", lambda path: JudgedSound(path, Verdict(word, "bell", session.own)))

    def is_shown(level: float, seconds: float, word: str) -> bool:
        peaks = thumbnails.peaks(path)
        return (
            peaks is not None
            and peaks.max() == pytest.approx(level, abs=1e-2)
            and wave.seconds == pytest.approx(seconds)
            and page.history.item(0).data(LISTED_WORD_ROLE) == word
        )

    for number, (level, seconds, word) in enumerate(((0.25, 0.2, NEW), (0.5, 0.4, COPY))):
        write(level, seconds, word)
        page.pads.hold(0, path)
        if number == 0:
            play._set_current(path)
        play._list(path)
        qtbot.waitUntil(lambda: is_shown(level, seconds, word), timeout=WAIT)  # noqa: B023
    assert play.current == path


def test_a_double_click_in_a_list_plays_once(play: PlayPresenter, session: ToneSession, qtbot: QtBot) -> None:
    page, chosen = play.page, list[object]()
    page.map.dot_chosen.connect(chosen.append)
    page.history.sound_chosen.connect(chosen.append)
    page.history.add(session.own)
    for tab, view in ((1, page.near), (2, page.history)):
        page.tabs.setCurrentIndex(tab)
        chosen.clear()
        view.setCurrentRow(0)
        QTest.keyClick(view, Qt.Key.Key_Return)
        assert len(chosen) == 1
        at = view.visualItemRect(view.item(0)).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
        QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
        QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
        assert len(chosen) == 2
    idle(play, qtbot)


def test_space_plays_and_stops_the_sound_under_the_cursor_of_a_list(
    play: PlayPresenter, session: ToneSession, tmp_path: Path, qtbot: QtBot
) -> None:
    playback, view = play._player.playback, play.page.history
    other = tmp_path / "other.wav"
    soundfile.write(other, tone(0.2), 48_000)
    for path in (session.own, other):
        view.add(path)
    play.page.tabs.setCurrentIndex(2)
    for row, path in ((0, other), (1, session.own)):
        view.setCurrentRow(row)
        QTest.keyClick(view, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda path=path: playback.status.path == path, timeout=WAIT)  # type: ignore[misc]
        assert playback.status.state is PlayerState.PLAYING
    QTest.keyClick(view, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: playback.status.state is PlayerState.IDLE, timeout=WAIT)


def test_the_first_sound_of_a_morph_may_be_heard_again(play: PlayPresenter, session: ToneSession, qtbot: QtBot) -> None:
    sound = play.page.sound
    play.play_dot(0)
    sound.morph.click()
    play.play_dot(0)
    assert sound.morph.isChecked(), "it still waits for the second sound"
    play.play_position((0.3, 0.3))
    qtbot.waitUntil(lambda: len(play.page.pads.sounds()) == 8, timeout=WAIT)
    idle(play, qtbot)
    assert session.requests[-1][0] == session.own
    assert not sound.morph.isChecked()
    sound.morph.click()
    assert "second sound" in play.page.status.text()
    sound.morph.click()
    assert "second sound" not in play.page.status.text()


def test_what_is_made_for_the_model_before_is_not_put_on_pads(
    play: PlayPresenter, session: ToneSession, tmp_path: Path, qtbot: QtBot
) -> None:
    session.go_on.clear()
    play.fill_pads()
    qtbot.waitUntil(lambda: play._tasks.is_busy)
    play.show_model(entry_of(tmp_path / "other.distill"))
    session.go_on.set()
    idle(play, qtbot)
    qtbot.waitUntil(lambda: play.page.map.shown is not None, timeout=WAIT)
    assert play.page.pads.sounds() == []


@pytest.mark.parametrize("has_map", [True, False])
def test_a_request_waits_for_the_map_that_is_to_be_opened(
    play: PlayPresenter, session: ToneSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, has_map: bool
) -> None:
    opening = session.open

    def open_noted(model_file: Path) -> ShownMap:
        session.requests.append(model_file.stem)
        return opening(model_file)

    monkeypatch.setattr(session, "open", open_noted)
    session.go_on.clear()
    play.play_position((0.3, 0.3))
    play.show_model(entry_of(Path("other.distill" if has_map else "old.distill")))
    play.take_sound(session.own)
    play.vary(0.2)
    play.vary(0.5)
    session.go_on.set()
    idle(play, qtbot)
    assert session.requests[1:] == (["other"] + [(session.own, 0.5)] * 8 if has_map else ["old"])
    assert (play.page.map.shown is not None) == has_map
    assert len(play.page.pads.sounds()) == 8 * has_map


def test_a_sound_is_saved_under_the_suffix_that_it_has(play: PlayPresenter, tmp_path: Path, qtbot: QtBot) -> None:
    own = tmp_path / "own.flac"
    soundfile.write(own, np.zeros(4800), 48_000)
    play.page.history.sound_chosen.emit(own)
    play.page.sound.save.click()
    dialog = play.page.window().findChild(QFileDialog, "saveSoundDialog")
    assert dialog is not None
    assert dialog.defaultSuffix() == "flac"
    dialog.reject()
    play.exports.save_as(own, tmp_path / "no folder" / "b.flac")
    qtbot.waitUntil(lambda: "b.flac is saved" in play._notices.text(), timeout=WAIT)
    assert (tmp_path / "no folder" / "b.flac").read_bytes() == own.read_bytes()
    play.exports.save_as(tmp_path / "gone.wav", tmp_path / "c.wav")
    qtbot.waitUntil(lambda: "is saved" not in play._notices.text(), timeout=WAIT)
    assert "gone.wav cannot be read: No such file" in play._notices.text()
    assert not (tmp_path / "c.wav").exists()


def test_a_sound_is_copied_off_the_windows_thread(
    play: PlayPresenter, session: ToneSession, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def noted(path: Path, tidies: bool = True) -> AbstractContextManager[IO[bytes]]:
        threads.append(threading.current_thread())
        return write_whole(path, tidies)

    monkeypatch.setattr(export_presenter, "write_whole", noted)
    play.exports.save_as(session.own, tmp_path / "saved.wav")
    qtbot.waitUntil(lambda: "saved.wav is saved" in play._notices.text(), timeout=WAIT)
    assert threading.main_thread() not in threads
    assert len(threads) == 1


def test_the_fields_of_the_sound_are_aligned(play: PlayPresenter) -> None:
    sound = play.page.sound
    assert sound.strength.x() == sound.length.x()
    assert sound.vary.x() == sound.extend.x()
    assert sound.length.height() >= sound.length.minimumSizeHint().height()


def test_nothing_moves_when_it_is_known_how_new_a_sound_is(play: PlayPresenter, qtbot: QtBot) -> None:
    page = play.page
    slider = page.findChild(QSlider, "brightnessSlider")
    assert slider is not None

    def places() -> list[int]:
        return [widget.mapTo(page, QPoint(0, 0)).y() for widget in (slider, page.sound.vary, page.pads)]

    before = places()
    play.play_position((0.5, 0.5))
    qtbot.waitUntil(lambda: page.sound.verdict.text().startswith("New"), timeout=WAIT)
    idle(play, qtbot)
    assert page.sound.compare.isVisible()
    assert places() == before


def test_the_name_of_a_sound_and_what_is_done_are_readable(play: PlayPresenter, qtbot: QtBot) -> None:
    sound = play.page.sound
    idle(play, qtbot)
    assert sound.title.isVisible()
    play.play_position((0.5, 0.5))
    qtbot.waitUntil(lambda: play.current is not None, timeout=WAIT)
    idle(play, qtbot)
    assert sound.status.isVisible()
    assert not sound.title.isVisible()
    QTest.mouseClick(sound.morph, Qt.MouseButton.LeftButton)
    assert sound.status.text() == "Choose the second sound"
    needed = sound.status.fontMetrics().horizontalAdvance(sound.status.text())
    qtbot.waitUntil(lambda: sound.status.width() >= needed)
    assert sound.morph.isChecked()


def test_a_double_click_starts_work_once(play: PlayPresenter) -> None:
    page, sound = play.page, play.page.sound
    started: list[str] = []
    for signal, name in (
        (page.filling_requested, "fill"), (page.kit_requested, "kit"), (sound.saving_requested, "save"),
        (sound.variations_requested, "vary"), (sound.extension_requested, "extend"),
        (sound.repaint_requested, "repaint"), (page.midi.learning_requested, "learn"),
        (sound.morph_toggled, "morph"), (sound.comparison_requested, "compare"),
    ):  # fmt: skip
        signal.disconnect()
        signal.connect(lambda *_values, name=name: started.append(name))
    sound.show_has_sound(True)
    sound.wave.mark = (0.2, 0.5)
    sound.repaint_mark.setEnabled(True)
    page.pad_panel.export_kit.setEnabled(True)
    buttons = {
        "fill": page.pad_panel.fill_pads, "kit": page.pad_panel.export_kit,
        "save": sound.save, "vary": sound.vary, "extend": sound.extend,
        "repaint": sound.repaint_mark, "learn": page.midi.learn, "morph": sound.morph,
    }  # fmt: skip
    for button in buttons.values():
        double_click(button)
    assert started == list(buttons)
    assert sound.morph.isChecked()
    double_click(sound.compare)
    assert started[len(buttons) :] == ["compare", "compare"], "it switches to the other sound and back"
