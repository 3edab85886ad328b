"""How the Play page looks, through its real widgets: pads, lists, the scale of the map, small windows."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QSlider, QWidget
from pytestqt.qtbot import QtBot

from distill.generation.map.map_chunks import Slider
from distill.gui.help.keyboard_shortcuts import key_groups
from distill.gui.play.presenter import PlayPresenter
from distill.gui.widgets.plain_text import plain_tip
from distill.gui.window.main_window import SMALLEST_SIZE, MainWindow
from tests.gui.cut_off import cut_off
from tests.gui.fakes import tone
from tests.gui.play.conftest import WAIT, ToneSession, idle


def part_of(widget: QWidget, top: float, bottom: float) -> QImage:
    """Return what is drawn between two shares of a widget's height."""
    image = widget.grab().toImage()
    return image.copy(0, round(top * image.height()), image.width(), round((bottom - top) * image.height()))


def test_a_pad_shows_the_waveform_and_the_name_of_its_sound(
    play: PlayPresenter, window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    pad, thumbnails = play.page.pads.pads[5], window.thumbnails
    seen = []
    for name, sound in (("kick", tone(0.2)), ("snare", tone(0.2)), ("snare 2", np.linspace(1, 0, 9600) * tone(0.2))):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, sound, 48_000)
        play.page.pads.hold(5, path)
        pad.grab()  # which asks for the waveform
        qtbot.waitUntil(lambda path=path: thumbnails.peaks(path) is not None, timeout=WAIT)  # type: ignore[misc]
        seen.append((part_of(pad, 0.1, 0.5), part_of(pad, 0.65, 0.9)))
    assert seen[0][0] == seen[1][0], "the same waveform"
    assert seen[0][1] != seen[1][1], "another name"
    assert seen[1][0] != seen[2][0], "another waveform"
    play.page.pads.hold(5, None)
    assert part_of(pad, 0.65, 0.9) != seen[2][1]


def test_the_sounds_near_the_cursor_can_be_dragged_where_they_were_found(
    play: PlayPresenter, session: ToneSession
) -> None:
    near = play.page.near
    play.page.map.move_cursor((0.05, 0.1))
    found = near.findItems("bell <0>", Qt.MatchFlag.MatchExactly)
    others = [near.item(row) for row in range(near.count()) if near.item(row) not in found]
    assert [url.toLocalFile() for url in near.mimeData(found).urls()] == [str(session.own)]
    assert not near.mimeData(others).urls()


def test_a_name_that_is_cut_off_in_a_list_is_whole_in_its_tooltip(play: PlayPresenter, tmp_path: Path) -> None:
    near, history = play.page.near, play.page.history
    play.page.map.move_cursor((0.05, 0.1))
    assert plain_tip("bell <0>") in [near.item(row).toolTip() for row in range(near.count())]
    before, path = tmp_path / "between a bell and a long gong.wav", tmp_path / "between <gongs>.wav"
    history.add(before, "new")
    assert history.item(0).toolTip() == plain_tip(before.stem)
    history.follow_file(before, path)
    assert history.item(0).toolTip() == plain_tip(path.stem)
    assert history.item(0).data(Qt.ItemDataRole.AccessibleTextRole) == "between <gongs>, new"


def test_the_map_explains_its_colours_and_its_keys(play: PlayPresenter, window: MainWindow) -> None:
    def corner() -> QImage:
        image = play.page.map.grab().toImage()
        return image.copy(image.width() - 190, image.height() - 28, 180, 24)

    brightness = corner()
    colors = {brightness.pixel(x, y) for x in range(brightness.width()) for y in range(brightness.height())}
    hues = {QColor(color).hslHue() // 15 for color in colors if QColor(color).hslSaturation() > 100}
    assert len(hues) >= 8, "the whole scale, from blue to orange"
    play.page.colors.setCurrentIndex(play.page.colors.findData("seconds"))
    assert corner() != brightness, "its ends have other names"
    groups = {group.title: group for group in key_groups(window.menuBar(), window)}
    assert len(groups["Map"].entries) == 8
    assert {"Sliders of the Play page", "Pads"} <= groups.keys()


def test_a_newcomer_is_told_how_to_get_a_sound(play: PlayPresenter, qtbot: QtBot) -> None:
    wave = play.page.sound.wave
    empty = wave.grab().toImage()
    wave.show_hint("")
    assert wave.grab().toImage() != empty
    slider = play.page.findChild(QSlider, "brightnessSlider")
    assert slider is not None
    assert slider.toolTip().endswith("How well it works on new sounds: 0.97 of 1.")


@pytest.mark.parametrize("count", [2, 4, 6])
def test_nothing_is_cut_off_in_a_small_window(
    play: PlayPresenter, window: MainWindow, qtbot: QtBot, tmp_path: Path, count: int
) -> None:
    page, shown = play.page, play.page.map.shown
    assert shown is not None
    names = ("brightness", "attack", "noisiness", "length", "pitch", "loudness")[:count]
    page.show_map(replace(shown, sliders=tuple(Slider(name, "More.", 0.95) for name in names)), "Glass bells")
    play.play_position((0.5, 0.5))
    qtbot.waitUntil(lambda: page.sound.verdict.text().startswith("New"), timeout=WAIT)
    idle(play, qtbot)
    window.resize(*SMALLEST_SIZE)
    for tab in range(page.tabs.count()):
        page.tabs.setCurrentIndex(tab)
        qtbot.wait(20)
        assert cut_off(page) == []
    sliders = [page.findChild(QSlider, f"{name}Slider") for name in names]
    assert all(slider is not None and slider.width() >= 50 for slider in sliders)
    assert page.pads.pads[0].height() >= 18
    window.resize(1280, 860)
    qtbot.wait(20)
    column = {slider.mapTo(page, QPoint(0, 0)).x() for slider in sliders if slider is not None}
    assert len(column) == 1, "where there is room they stand below each other"


def test_pads_that_were_replaced_come_back(
    play: PlayPresenter, window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    pads = play.page.pads
    play.fill_pads()
    qtbot.waitUntil(lambda: len(pads.sounds()) == 16, timeout=WAIT)
    idle(play, qtbot)
    assert window.notices.text() == "", "they were empty"
    before = pads.sounds()
    pads.strike(3)
    play.vary(0.5)
    qtbot.waitUntil(lambda: pads.sounds()[:8] != before[:8], timeout=WAIT)
    qtbot.waitUntil(lambda: window.notices.text() == "The sounds of 8 pads were replaced.", timeout=WAIT)
    idle(play, qtbot)
    assert pads.sounds()[8:] == before[8:]
    undo = window.findChild(QPushButton, "noticeAction")
    assert undo is not None
    QTest.mouseClick(undo, Qt.MouseButton.LeftButton)
    assert pads.sounds() == before
    assert window.notices.text() == ""


def test_pads_are_told_apart_by_their_names(play: PlayPresenter, tmp_path: Path, qtbot: QtBot) -> None:
    """What all names have in common is not written on the pads; tooltips and screen readers have it."""
    pads = play.page.pads
    for number, name in enumerate(("kick", "snare", "hat")):
        path = tmp_path / f"old_recordings_of_drums_{name}.wav"
        soundfile.write(path, tone(0.2), 48_000)
        pads.hold(number, path)
    assert [pad.label for pad in pads.pads[:3]] == ["kick", "snare", "hat"]
    assert pads.pads[0].accessibleName() == "Pad 1: old_recordings_of_drums_kick"
    assert "old_recordings_of_drums_kick" in pads.pads[0].toolTip()
    pads.join(1, 2)
    assert pads.pads[1].label == "snare"
    pads.hold(3, tmp_path / "bell.wav")
    assert pads.pads[1].label == "old_recordings_of_drums_snare", "there is nothing in common any more"


@pytest.mark.parametrize(
    ("name", "room_for", "parts"),
    [
        ("loop-drums", "loop-drum", ("loop-", "drums")),
        ("loop_drums", "loop_drum", ("loop_", "drums")),
        ("loop drums", "loop drum", ("loop", "drums")),
        ("drum loop", "drum", ("drum", "loop")),
        ("a drumroll", "a drumrol", ("a", "drumroll")),
        ("kick-drumrollings", "kick-drum", ("kick-", "drumrollings")),
        ("drumrollings", "drumroll", ("drumrollings",)),
        ("snare", "snare", ("snare",)),
    ],
)
def test_names_on_pads_are_broken_between_words(
    play: PlayPresenter, name: str, room_for: str, parts: tuple[str, ...]
) -> None:
    pad, right = play.page.pads.pads[0], Qt.TextElideMode.ElideRight
    metrics = QFontMetrics(pad._small_font(), pad)
    room = metrics.horizontalAdvance(room_for)
    pad.resize(room + pad.width() - pad._inner().width(), 6 * metrics.height())
    assert pad._inner().width() == room
    assert pad.name_lines(name, right) == (*parts[:-1], metrics.elidedText(parts[-1], right, room))


@pytest.mark.parametrize("size", [(1280, 800), SMALLEST_SIZE])
def test_names_that_are_too_long_for_pads_are_told_apart_where_they_are_cut(
    play: PlayPresenter, window: MainWindow, tmp_path: Path, qtbot: QtBot, size: tuple[int, int]
) -> None:
    pads = play.page.pads
    window.resize(*size)
    qtbot.waitUntil(lambda: (window.width(), window.height()) == size)
    names = (
        "Near drum_tom_hi_soft + drum_bass_hard", "Near drum_roll + drum_cymbal_open", "Near bd_zum + bd_tek",
        "Near drum_roll + drum_cymbal_hard", "Near drum_cymbal_open + drum_roll", "snare",
        "Near drum_cymbal_open + drum_splash_soft", "Near drum_cymbal_soft + drum_splash_soft",
        "a recording of a bell with a long name 1", "a recording of a bell with a long name 2",
    )  # fmt: skip
    for number, name in enumerate(names):
        soundfile.write(tmp_path / f"{name}.wav", tone(0.2), 48_000)
        pads.hold(number, tmp_path / f"{name}.wav")
    qtbot.wait(50)
    seen = [pad.name_lines(pad.label, pads._elision(pad)) for pad in pads.pads[: len(names)]]
    inner = pads.pads[0].height() - 8
    assert max(map(len, seen)) == min(2, inner // QFontMetrics(pads.pads[0]._small_font()).height() // 2)
    if size != SMALLEST_SIZE:
        assert len(set(seen)) == len(names), seen
        peaks = window.thumbnails.peaks
        qtbot.waitUntil(lambda: all(peaks(sound) is not None for sound in pads.sounds()), timeout=WAIT)
        below = [part_of(pad, 0.6, 0.95) for pad in pads.pads[: len(names)]]
        assert not any(one == other for one, other in combinations(below, 2)), "nor do they look the same"
        assert seen[5] == ("snare",)
