"""The transport in the real window: waveform, searching, loop, comparing, keys, and the choice of a device."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QSlider, QToolButton
from pytestqt.qtbot import QtBot

from distill.errors import PlaybackError
from distill.gui.widgets.labels import ElidedLabel
from distill.gui.window.main_window import MainWindow
from distill.playback.output_device import OutputDevice
from distill.playback.player import Player, PlayerState
from distill.settings import WindowSettings
from tests.gui.conftest import close
from tests.gui.fakes import FakeDevice, FakeEngine, make_previews, tone

NO_KEYS = Qt.KeyboardModifier.NoModifier

CARD, HEADPHONES = OutputDevice("USB Audio", "ALSA"), OutputDevice("Headphones", "ALSA")


class FakeSystem:
    """What is plugged in."""

    def __init__(self) -> None:
        self.devices: tuple[OutputDevice, ...] = (CARD,)
        self.looks: list[bool] = []

    def __call__(self, is_fresh: bool) -> tuple[OutputDevice, ...]:
        self.looks.append(is_fresh)
        return self.devices


@pytest.fixture
def system() -> FakeSystem:
    return FakeSystem()


@pytest.fixture
def window(
    qapp: QApplication, qtbot: QtBot, engine: FakeEngine, device: FakeDevice, system: FakeSystem
) -> Iterator[MainWindow]:
    made = MainWindow(engine, Player(open_output=device, find_devices=system))  # type: ignore[arg-type]
    with qtbot.waitActive(made):
        made.show()
        made.activateWindow()
    yield made
    close(qtbot, made)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Two seconds: loud, then quiet."""
    audio = np.concatenate([tone(1.0), 0.2 * tone(1.0)])
    soundfile.write(tmp_path / "long.wav", audio, 48_000)
    return tmp_path / "long.wav"


def play(window: MainWindow, qtbot: QtBot, path: Path) -> None:
    window.playing.play(path)
    await_state(window, qtbot, PlayerState.PLAYING)


def await_state(window: MainWindow, qtbot: QtBot, state: PlayerState) -> None:
    qtbot.waitUntil(lambda: window.playing.playback.status.state is state)


def advance(device: FakeDevice, frames: int) -> None:
    """Let the device take this much."""
    device.outputs[-1].fill(np.zeros((frames, 2), np.float32))


def slider(window: MainWindow) -> QSlider:
    found = window.findChild(QSlider, "positionSlider")
    assert found is not None
    return found


def position(window: MainWindow, share: float) -> QPoint:
    at = slider(window).rect()
    return QPoint(4 + round(share * (at.width() - 8)), at.height() // 2)


def count_colored(window: MainWindow, left: float, right: float) -> int:
    """How many pixels of the position slider are in the accent colour, between two shares of its width."""
    from distill.gui.widgets import theme

    image = slider(window).grab().toImage()
    wanted = theme.colors().accent
    columns = range(round(left * image.width()), round(right * image.width()))
    return sum(image.pixelColor(x, y).name() == wanted for x in columns for y in range(image.height()))


def test_the_volume_of_the_last_session_is_applied(
    qapp: QApplication, qtbot: QtBot, engine: FakeEngine, device: FakeDevice, sound: Path
) -> None:
    """What the slider shows is what is heard and what is stored, at the first start and after a restart."""

    def start() -> MainWindow:
        made = MainWindow(engine, Player(open_output=device))  # type: ignore[arg-type]
        with qtbot.waitExposed(made):
            made.show()
        return made

    def heard(window: MainWindow) -> float:
        """Return the gain of what the device gets."""
        play(window, qtbot, sound)
        block = np.zeros((4800, 2), np.float32)
        device.outputs[-1].fill(block)
        return float(np.abs(block).max()) / 0.3  # the peak of `tone`

    def close_and_load(window: MainWindow) -> float:
        close(qtbot, window)
        return WindowSettings.load().volume

    first = start()
    shown = first.transport.gain
    assert heard(first) == pytest.approx(shown, rel=0.02)
    assert close_and_load(first) == pytest.approx(shown)
    second = start()
    assert second.transport.gain == pytest.approx(shown)
    second.transport.volume.setValue(23)
    assert close_and_load(second) == pytest.approx(0.23**2)
    third = start()
    assert third.transport.volume.value() == 23
    assert heard(third) == pytest.approx(0.23**2, rel=0.02)
    close(qtbot, third)


def test_what_was_heard_is_seen_in_the_waveform(
    window: MainWindow, device: FakeDevice, qtbot: QtBot, sound: Path
) -> None:
    play(window, qtbot, sound)
    assert slider(window).height() >= 40
    assert slider(window).maximum() == 200
    advance(device, 24_000)
    qtbot.waitUntil(lambda: slider(window).value() == 50)
    assert count_colored(window, 0.02, 0.23) > 500
    assert count_colored(window, 0.3, 0.98) == 0
    slider(window).setValue(200)
    # The second half of the sound is quieter, and is drawn so.
    assert count_colored(window, 0.1, 0.4) > 2 * count_colored(window, 0.6, 0.9) > 0


def test_a_click_seeks_and_a_drag_searches(window: MainWindow, device: FakeDevice, qtbot: QtBot, sound: Path) -> None:
    play(window, qtbot, sound)
    player, left = window.playing.playback.player, Qt.MouseButton.LeftButton
    QTest.mouseClick(slider(window), left, NO_KEYS, position(window, 0.75))
    advance(device, 480)
    assert player.position_seconds == pytest.approx(1.51, abs=0.02)
    QTest.mousePress(slider(window), left, NO_KEYS, position(window, 0.75))
    QTest.mouseMove(slider(window), position(window, 0.25))
    advance(device, 480)
    assert player.position_seconds == pytest.approx(0.51, abs=0.02)  # heard while the mouse is still down
    QTest.mouseMove(slider(window), position(window, 0.5))
    QTest.mouseRelease(slider(window), left, NO_KEYS, position(window, 0.5))
    advance(device, 480)
    assert player.position_seconds == pytest.approx(1.01, abs=0.02)


def test_keys_move_in_the_sound_and_a_silent_one_plays_from_there(
    window: MainWindow, device: FakeDevice, qtbot: QtBot, sound: Path
) -> None:
    play(window, qtbot, sound)
    window.playing.playback.stop()
    await_state(window, qtbot, PlayerState.IDLE)
    slider(window).setFocus()
    QTest.keyClick(slider(window), Qt.Key.Key_PageUp)
    await_state(window, qtbot, PlayerState.PLAYING)
    advance(device, 480)
    assert window.playing.playback.player.position_seconds == pytest.approx(0.21, abs=0.02)
    QTest.keyClick(slider(window), Qt.Key.Key_Home)
    advance(device, 480)
    assert window.playing.playback.player.position_seconds == pytest.approx(0.01, abs=0.02)


def test_loop_by_key_and_button(window: MainWindow, device: FakeDevice, qtbot: QtBot, sound: Path) -> None:
    button = window.findChild(QToolButton, "loopButton")
    assert button is not None
    play(window, qtbot, sound)
    window.browser.view.setFocus()
    QTest.keyClick(window.browser.view, Qt.Key.Key_L)
    assert button.isChecked()
    for _ in range(5):
        advance(device, 48_000)  # far beyond the end
    assert window.playing.playback.status.state is PlayerState.PLAYING
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert not button.isChecked()
    device.outputs[-1].finish()
    await_state(window, qtbot, PlayerState.IDLE)


def test_l_in_a_text_field_is_a_letter(loaded: MainWindow, qtbot: QtBot) -> None:
    field = loaded.findChild(QLineEdit, "soundFilter")
    assert field is not None
    field.setFocus()
    QTest.keyClicks(field, "l b")
    assert field.text() == "l b"
    assert not loaded.transport.loop_action.isChecked()


def test_space_plays_and_stops_everywhere(window: MainWindow, qtbot: QtBot, sound: Path) -> None:
    play(window, qtbot, sound)
    for widget in (slider(window), window.transport.volume, window):
        widget.setFocus()
        QTest.keyClick(widget, Qt.Key.Key_Space)
        await_state(window, qtbot, PlayerState.IDLE)
        QTest.keyClick(widget, Qt.Key.Key_Space)
        await_state(window, qtbot, PlayerState.PLAYING)
    window.transport.loop.setFocus()
    QTest.keyClick(window.transport.loop, Qt.Key.Key_Space)
    await_state(window, qtbot, PlayerState.IDLE)
    assert not window.transport.loop_action.isChecked(), "Return presses a button"


def test_original_and_model_are_switched_by_button_and_key(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    _, model = make_previews(tmp_path / "previews", 0)
    original = model.with_name(model.name.replace("_recon_", "_orig_"))
    buttons, playback = window.transport.compare, window.playing.playback
    assert not buttons.isVisible()
    playback.compare(model, original)
    await_state(window, qtbot, PlayerState.PLAYING)
    assert buttons.isVisible()
    assert buttons.model.isChecked()
    QTest.mouseClick(buttons.model, Qt.MouseButton.LeftButton)  # is heard already
    QTest.mouseClick(buttons.original, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: playback.status.path == original)
    assert buttons.original.isChecked()
    slider(window).setFocus()
    QTest.keyClick(slider(window), Qt.Key.Key_B)
    qtbot.waitUntil(lambda: playback.status.path == model)
    assert buttons.model.isChecked()
    # Play again keeps the comparison; another sound ends it.
    playback.stop()
    await_state(window, qtbot, PlayerState.IDLE)
    playback.play_again()
    await_state(window, qtbot, PlayerState.PLAYING)
    assert playback.status.pair == (model, original)
    window.playing.play(original)
    qtbot.waitUntil(lambda: playback.status.pair is None)
    assert not buttons.isVisible()


def entries(window: MainWindow) -> dict[str, QAction]:
    return {action.text(): action for action in window.transport.device_menu.actions() if action.text()}


def test_a_device_is_chosen_and_remembered(
    window: MainWindow, device: FakeDevice, system: FakeSystem, qtbot: QtBot, sound: Path
) -> None:
    menu = window.transport.device_menu
    window.transport.device.click()
    qtbot.waitUntil(lambda: "USB Audio" in entries(window))
    assert list(entries(window)) == ["System default", "USB Audio", "Look for devices again"]
    assert entries(window)["System default"].isChecked()
    entries(window)["USB Audio"].trigger()
    menu.close()
    assert "USB Audio" in window.transport.device.toolTip()
    play(window, qtbot, sound)
    assert device.chosen == [CARD]
    window.close()
    settings = WindowSettings.load()
    assert (settings.output_device, settings.output_host_api) == ("USB Audio", "ALSA")


def test_the_menu_of_devices_stays_where_it_was_opened(
    window: MainWindow, system: FakeSystem, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    menu, look = window.transport.device_menu, window.playing.playback.player.look_for_devices
    waiting: list[bool] = []
    monkeypatch.setattr(window.playing.playback.player, "look_for_devices", waiting.append)
    above = window.mapToGlobal(QPoint(200, 60))
    menu.popup(above)  # as the menu bar does
    qtbot.waitUntil(menu.isVisible)
    assert menu.pos() == above
    look(waiting.pop())
    qtbot.waitUntil(lambda: "USB Audio" in entries(window))
    assert menu.pos() == above
    menu.close()
    window.transport.device.click()
    bottom = window.transport.device.mapToGlobal(QPoint(0, 0)).y()
    system.devices = (CARD, HEADPHONES)
    look(waiting.pop())
    qtbot.waitUntil(lambda: "Headphones" in entries(window))
    assert menu.geometry().bottom() == pytest.approx(bottom, abs=2), "above its button it grows upwards"
    menu.close()
    menu.popup(above)
    system.devices = (CARD,)
    look(waiting.pop())
    qtbot.waitUntil(lambda: "Headphones" not in entries(window))
    assert menu.pos() == above
    menu.close()


def test_the_device_of_last_time_is_used_again_and_a_missing_one_is_said(
    window: MainWindow,
    device: FakeDevice,
    system: FakeSystem,
    qtbot: QtBot,
    sound: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    WindowSettings(output_device="Headphones", output_host_api="ALSA").save()
    monkeypatch.setattr("tests.gui.fakes.FakeOutput.is_stand_in", True)
    again = MainWindow(FakeEngine(), Player(open_output=device, find_devices=system))  # type: ignore[arg-type]
    again.show()
    try:
        play(again, qtbot, sound)
        assert device.chosen == [HEADPHONES]
        assert "Headphones is not connected" in again.notices.text()
        again.transport.device.click()
        qtbot.waitUntil(lambda: "Headphones: not connected" in entries(again))
        assert entries(again)["Headphones: not connected"].isChecked()
        again.transport.device_menu.close()
    finally:
        close(qtbot, again)


def test_a_device_plugged_in_while_a_sound_plays_is_found_on_request(
    window: MainWindow, device: FakeDevice, system: FakeSystem, qtbot: QtBot, sound: Path
) -> None:
    play(window, qtbot, sound)
    advance(device, 48_000)
    system.devices = (CARD, HEADPHONES)
    window.transport.device.click()
    qtbot.waitUntil(lambda: system.looks == [False])  # opening the menu does not interrupt what is heard
    assert len(device.outputs) == 1
    entries(window)["Look for devices again"].trigger()
    qtbot.waitUntil(lambda: "Headphones" in entries(window))
    player = window.playing.playback.player
    qtbot.waitUntil(lambda: len(device.outputs) == 2 and player.status.state is PlayerState.PLAYING)
    window.transport.device_menu.close()
    advance(device, 480)
    assert player.position_seconds == pytest.approx(1.01, abs=0.02)  # and it goes on there


def test_a_device_that_fails_is_a_notice_and_the_next_click_tries_again(
    window: MainWindow, device: FakeDevice, qtbot: QtBot, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(window, qtbot, sound)
    device.outputs[-1].on_drained()  # in the middle of the sound
    await_state(window, qtbot, PlayerState.NO_DEVICE)
    assert "gone" in window.notices.text()

    def busy(_self: object, *_: object) -> object:
        raise PlaybackError("No sound can be played: USB Audio does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr("tests.gui.fakes.FakeDevice.__call__", busy)
        window.transport.play.click()
        qtbot.waitUntil(lambda: "USB Audio does not answer" in window.notices.text())
    window.transport.play.click()
    await_state(window, qtbot, PlayerState.PLAYING)
    assert window.notices.text() == ""


def test_every_control_of_the_player_has_a_name_and_says_what_it_does(window: MainWindow) -> None:
    found = window.transport.findChildren(QToolButton) + window.transport.findChildren(QSlider)
    assert len(found) >= 8
    for control in found:
        assert control.accessibleName(), control.objectName()
        assert len(control.toolTip()) > 10, control.objectName()
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control.objectName()


def test_space_in_the_list_of_sounds_plays_the_one_under_the_cursor_or_stops_it(
    loaded: MainWindow, qtbot: QtBot, device: FakeDevice
) -> None:
    view = loaded.browser.view
    view.setFocus()
    playback, play = loaded.playing.playback, view.actions_of_rows["play"]
    view.setCurrentIndex(view.model().index(1, 0))
    for _ in range(2):
        QTest.keyClick(view, Qt.Key.Key_Space)
        await_state(loaded, qtbot, PlayerState.PLAYING)
        assert play.text() == "Stop"
        QTest.keyClick(view, Qt.Key.Key_Space)
        await_state(loaded, qtbot, PlayerState.IDLE)
        assert play.text() == "Play"
    QTest.keyClick(view, Qt.Key.Key_Space)
    await_state(loaded, qtbot, PlayerState.PLAYING)
    first = playback.status.path
    view.setCurrentIndex(view.model().index(3, 0))
    QTest.keyClick(view, Qt.Key.Key_Space)  # another one is played, whatever is heard
    qtbot.waitUntil(lambda: playback.status.path not in (None, first))
    assert playback.status.state is PlayerState.PLAYING
    asked: list[Path] = []
    view.audition_requested.connect(asked.append)
    QTest.keyClick(view, Qt.Key.Key_Return)  # Enter and a click begin anew
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, NO_KEYS, view.visualRect(view.currentIndex()).center())
    assert asked == [playback.status.path] * 2


def test_play_and_stop_are_one_button(window: MainWindow, qtbot: QtBot, sound: Path) -> None:
    transport = window.transport
    play_button, stop_button = transport.play, transport.stop
    assert (play_button.objectName(), stop_button.objectName()) == ("playButton", "stopButton")
    play(window, qtbot, sound)
    assert (play_button.isVisible(), stop_button.isVisible()) == (False, True)
    position = stop_button.geometry()
    stop_button.setFocus()
    QTest.keyClick(stop_button, Qt.Key.Key_Space)
    await_state(window, qtbot, PlayerState.IDLE)
    assert (play_button.isVisible(), stop_button.isVisible()) == (True, False)
    assert play_button.geometry() == position
    assert window.focusWidget() is play_button  # the keys go on to the one that came in its place
    QTest.keyClick(play_button, Qt.Key.Key_Space)
    await_state(window, qtbot, PlayerState.PLAYING)
    assert window.focusWidget() is stop_button
    QTest.mouseClick(stop_button, Qt.MouseButton.LeftButton)
    await_state(window, qtbot, PlayerState.IDLE)
    QTest.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    await_state(window, qtbot, PlayerState.PLAYING)
    QTest.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    await_state(window, qtbot, PlayerState.IDLE)


def test_a_preview_is_called_as_in_the_panel(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    new, model = make_previews(tmp_path / "previews", 4)
    original = model.with_name(model.name.replace("_recon_", "_orig_"))
    plain = tmp_path / "a sound.wav"
    soundfile.write(plain, tone(1.0), 48_000)
    name = window.transport.findChild(ElidedLabel)
    assert name is not None
    for path, text in (
        (new, "New 1, epoch 5"), (model, "Sound 1, epoch 5"), (original, "Sound 1, original"), (plain, "a sound.wav"),
    ):  # fmt: skip
        window.playing.play(path)
        qtbot.waitUntil(lambda path=path: window.playing.playback.status.path == path)  # type: ignore[misc]
        assert name.text() == text
        assert path.name in name.toolTip()


def test_a_click_on_the_volume_is_where_the_mouse_points_when_read_from_the_right(window: MainWindow) -> None:
    """It went to the mirrored place: a click near silence was full volume."""
    slider = window.findChild(QSlider, "volumeSlider")
    assert slider is not None
    slider.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    slider.setValue(50)
    QTest.mouseClick(slider, Qt.MouseButton.LeftButton, NO_KEYS, QPoint(slider.width() - 6, slider.height() // 2))
    assert slider.value() <= 15
    QTest.mouseClick(slider, Qt.MouseButton.LeftButton, NO_KEYS, QPoint(6, slider.height() // 2))
    assert slider.value() >= 85
