"""The Play page, played by MIDI bytes, by OSC, by keys and by mouse."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from distill.control.midi_ports import PortWatcher
from distill.control.osc import OscInput, OscOutput
from distill.control.pads_keys_and_knobs import PAD_KEYS
from distill.gui.play.midi_osc_presenter import MidiOscPresenter
from distill.gui.play.presenter import PlayPresenter
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import PLAY, TRAINING
from distill.playback.instrument import Strike
from distill.settings import WindowSettings
from tests.control.fakes import FakePorts
from tests.gui.fakes import tone
from tests.gui.play.conftest import WAIT, ToneSession, idle

PORT = "Keyboard <1>"


class Strikes(list[Strike]):
    released: list[object]


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> FakePorts:
    made = FakePorts(PORT)
    watch: Callable[..., PortWatcher] = lambda receive, changed: PortWatcher(receive, changed, made, 0.01)  # noqa: E731
    monkeypatch.setattr("distill.gui.play.midi_osc_presenter.PortWatcher", watch)
    return made


@pytest.fixture
def control(ports: FakePorts, play: PlayPresenter, window: MainWindow, qtbot: QtBot) -> MidiOscPresenter:
    """The presenter, with its port open and sounds on two pads."""
    found = window.findChild(MidiOscPresenter)
    assert isinstance(found, MidiOscPresenter)
    qtbot.waitUntil(lambda: PORT in ports.opened, timeout=WAIT)
    return found


@pytest.fixture
def strikes(control: MidiOscPresenter, monkeypatch: pytest.MonkeyPatch) -> Strikes:
    """What the player is asked for."""
    made = Strikes()
    made.released = []
    monkeypatch.setattr(control._player, "strike", made.append)
    monkeypatch.setattr(control._player, "release", made.released.append)
    return made


def hold(control: MidiOscPresenter, folder: Path, *pads: int) -> None:
    for pad in pads:
        path = folder / f"pad {pad}.wav"
        soundfile.write(path, tone(0.2), 48_000)
        control.page.pads.hold(pad, path)


def test_the_wheel_scrolls_the_midi_panel_and_changes_no_field(play: PlayPresenter) -> None:
    panel = play.page.midi
    before = panel.keys.currentText(), panel.osc_in.value()
    for field in (panel.keys, panel.osc_in):
        middle = QPointF(field.rect().center())
        down = QWheelEvent(
            middle, field.mapToGlobal(middle), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(field, down)
        assert not down.isAccepted(), "it goes on to the column"
    assert (panel.keys.currentText(), panel.osc_in.value()) == before


def test_midi_notes_play_the_pads_or_the_current_sound(
    control: MidiOscPresenter,
    strikes: Strikes,
    ports: FakePorts,
    play: PlayPresenter,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    hold(control, tmp_path, 0, 15)
    control.page.pads.join(15, 2)
    ports.send(PORT, bytes([0x90, 36, 100, 51, 127, 40, 100, 0x80, 36, 0]))
    assert [(strike.path.stem, strike.velocity, strike.group) for strike in strikes] == [
        ("pad 0", 100, 0), ("pad 15", 127, 2),
    ]  # fmt: skip
    assert strikes.released == [], "a pad plays to its end"
    qtbot.waitUntil(lambda: play.current is not None and play.current.stem == "pad 15", timeout=WAIT)
    control.page.midi.gate.setChecked(True)
    ports.send(PORT, bytes([0x80, 51, 0]))
    assert strikes.released == [("pad", 15)]
    control.page.midi.keys.setCurrentIndex(1)
    strikes.clear()
    ports.send(PORT, bytes([0x90, 67, 80, 0x80, 67, 0]))
    assert [(strike.path.stem, strike.semitones, strike.velocity) for strike in strikes] == [("pad 15", 7, 80)]
    assert strikes.released[-1] == ("key", 7)
    assert "Keyboard <1>" in control.page.midi.state.text() or "+7" in control.page.midi.state.text()


def test_controllers_move_the_point_and_the_sliders(
    control: MidiOscPresenter,
    ports: FakePorts,
    play: PlayPresenter,
    session: ToneSession,
    qtbot: QtBot,
) -> None:
    ports.send(PORT, bytes([0xB0, 16, 127, 17, 0]))
    qtbot.waitUntil(lambda: play.page.map.cursor_position == (1.0, 0.0), timeout=WAIT)
    qtbot.waitUntil(lambda: len(session.requests) == 1, timeout=WAIT)
    idle(play, qtbot)
    assert session.requests[0][0] == (1.0, 0.0)
    ports.send(PORT, bytes([0xB0, 18, 127]))
    qtbot.waitUntil(lambda: len(session.requests) == 2, timeout=WAIT)
    idle(play, qtbot)
    assert session.requests[1][1] == {"brightness": 1.5}


def test_a_flood_of_moves_of_the_point_is_shown_once(
    control: MidiOscPresenter, ports: FakePorts, play: PlayPresenter, qtbot: QtBot
) -> None:
    shown: list[tuple[float, float]] = []
    play.page.map.cursor_moved.connect(lambda x, y: shown.append((x, y)))

    def flood() -> None:
        for value in range(128):
            ports.send(PORT, bytes([0xB0, 16, value, 17, 127 - value]))

    port = threading.Thread(target=flood)
    port.start()
    port.join(WAIT / 1000)  # an automated controller sends faster than a large map is drawn
    qtbot.waitUntil(lambda: play.page.map.cursor_position == (1.0, 0.0), timeout=WAIT)
    assert shown == [(1.0, 0.0)]
    idle(play, qtbot)


@pytest.mark.parametrize(
    ("key", "text", "released_as"),
    [
        (Qt.Key.Key_1, "1", (Qt.Key.Key_Exclam, "!", Qt.KeyboardModifier.ShiftModifier)),
        (Qt.Key.Key_Q, "q", (Qt.Key.Key_Q, "\x11", Qt.KeyboardModifier.ControlModifier)),
    ],
)
def test_a_key_is_released_although_a_modifier_was_pressed_meanwhile(
    key: Qt.Key,
    text: str,
    released_as: tuple[Qt.Key, str, Qt.KeyboardModifier],
    control: MidiOscPresenter,
    strikes: Strikes,
    tmp_path: Path,
) -> None:
    pad = PAD_KEYS.index(text.upper())
    hold(control, tmp_path, pad)
    control.page.midi.gate.setChecked(True)
    other, other_text, modifier = released_as
    scan_code = 38  # the key's place on the keyboard
    down = QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier, scan_code, 0, 0, text)
    up = QKeyEvent(QEvent.Type.KeyRelease, other, modifier, scan_code, 0, 0, other_text)
    QApplication.sendEvent(control.page, down)
    assert control.page.pads.pads[pad].isDown()
    QApplication.sendEvent(control.page, up)
    assert not control.page.pads.pads[pad].isDown()
    assert strikes.released == [("pad", pad)]


def test_a_controller_is_learned_and_remembered(
    control: MidiOscPresenter,
    ports: FakePorts,
    play: PlayPresenter,
    qtbot: QtBot,
) -> None:
    panel = control.page.midi
    assert panel.controller.text() == "CC 16"
    panel.learn.click()
    ports.send(PORT, bytes([0xB3, 74, 64]))
    qtbot.waitUntil(lambda: panel.controller.text() == "CC 74", timeout=WAIT)
    qtbot.waitUntil(lambda: play.page.map.cursor_position[0] == pytest.approx(64 / 127), timeout=WAIT)
    panel.gate.setChecked(True)
    panel.osc_in.setValue(9123)
    settings = WindowSettings()
    control.save(settings)
    panel.gate.setChecked(False)
    panel.osc_in.setValue(9000)
    control.controls.restore({})
    control.restore(settings)
    assert panel.gate.isChecked()
    assert panel.osc_in.value() == 9123
    assert control.controls.controller_of("x") == 74
    control.restore(WindowSettings(instrument={"port": 5, "controllers": [1], "osc_in": "x", "gate": 1}))
    idle(play, qtbot)


def test_a_sound_of_a_dot_is_requested_before_its_pitches(
    control: MidiOscPresenter, play: PlayPresenter, session: ToneSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[str] = []
    control.page.midi.keys.setCurrentIndex(1)
    monkeypatch.setattr(control._player, "play", lambda *_args: requests.append("play"))
    monkeypatch.setattr(control._player, "prepare", lambda *_args: requests.append("prepare"))
    play.play_dot(0)
    assert requests == ["play", "prepare"]


def test_ports_come_and_go(control: MidiOscPresenter, ports: FakePorts, qtbot: QtBot) -> None:
    panel = control.page.midi
    ports.connected.append("Pads")
    qtbot.waitUntil(lambda: panel.ports.count() == 4 and "Pads" in panel.state.text(), timeout=WAIT)
    panel.ports.setCurrentIndex(3)
    qtbot.waitUntil(lambda: list(ports.opened) == ["Pads"], timeout=WAIT)
    ports.connected.remove("Pads")
    qtbot.waitUntil(lambda: panel.ports.currentText() == "Pads: not connected", timeout=WAIT)
    ports.connected.append("Pads")
    qtbot.waitUntil(lambda: list(ports.opened) == ["Pads"], timeout=WAIT)


def test_keys_play_while_they_are_held(control: MidiOscPresenter, strikes: Strikes, tmp_path: Path) -> None:
    hold(control, tmp_path, 5)
    control.page.midi.gate.setChecked(True)
    QTest.keyPress(control.page.map, Qt.Key.Key_W)
    assert [strike.key for strike in strikes] == [("pad", 5)]
    assert strikes.released == []
    QTest.keyRelease(control.page.map, Qt.Key.Key_W)
    assert strikes.released == [("pad", 5)]
    pad = control.page.pads.pads[5]
    QTest.keyClick(pad, Qt.Key.Key_G)
    assert pad.text() == "W ·1"
    assert "choke group 1" in pad.accessibleName()


def test_a_sound_is_dropped_on_a_pad(control: MidiOscPresenter, strikes: Strikes, tmp_path: Path) -> None:
    path = tmp_path / "dropped.wav"
    soundfile.write(path, np.zeros(100), 48_000)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    pad = control.page.pads.pads[9]
    actions = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
    event = QDropEvent(QPointF(5, 5), actions, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier)
    event.setDropAction(Qt.DropAction.MoveAction)  # as Shift asks for; what Qt proposes depends on the platform
    pad.dropEvent(event)
    assert pad.sound == path
    assert event.dropAction() == Qt.DropAction.CopyAction, "a file manager would delete the user's file"
    control.page.pads.strike(9)
    assert strikes[0].path == path


def test_a_folder_is_not_taken_by_a_pad(control: MidiOscPresenter, tmp_path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path))])
    enter = QDragEnterEvent(
        QPoint(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    enter.ignore()
    control.page.pads.pads[9].dragEnterEvent(enter)
    assert not enter.isAccepted()


def test_the_player_is_armed_while_the_page_is_seen(control: MidiOscPresenter, window: MainWindow) -> None:
    assert control._player._is_armed
    window.pages.open_page(0)
    assert not control._player._is_armed


def test_a_minimized_window_is_played_as_an_open_one(
    control: MidiOscPresenter,
    strikes: Strikes,
    ports: FakePorts,
    window: MainWindow,
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hold(control, tmp_path, 0)
    stopped: list[bool] = []
    monkeypatch.setattr(control._player, "release_all", lambda: stopped.append(True))
    hidden: list[bool] = []
    control.page.disappeared.connect(lambda: hidden.append(True))
    window.showMinimized()
    qtbot.waitUntil(lambda: bool(hidden), timeout=WAIT)
    assert control._player._is_armed, "with the short buffer"
    assert stopped == []
    ports.send(PORT, bytes([0x90, 36, 100]))
    assert len(strikes) == 1
    window.showNormal()
    window.pages.open_page(TRAINING)
    assert not control._player._is_armed
    assert stopped == [True]


def test_what_ports_receive_is_passed_over_while_another_page_is_open(
    control: MidiOscPresenter,
    strikes: Strikes,
    ports: FakePorts,
    play: PlayPresenter,
    session: ToneSession,
    window: MainWindow,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    hold(control, tmp_path, 0)
    before = play.page.map.cursor_position
    ports.send(PORT, bytes([0xB0, 18, 127]))  # just before it is left
    QApplication.processEvents()
    window.pages.open_page(TRAINING)
    ports.send(PORT, bytes([0x90, 36, 100, 0xB0, 16, 127]))
    control._take_osc("/distill/pad/1", [1.0])
    qtbot.wait(400)  # longer than a move takes to settle
    assert (strikes, session.requests, play.current) == ([], [], None)
    assert play.page.map.cursor_position == before
    assert PORT in ports.opened
    window.pages.open_page(PLAY)
    ports.send(PORT, bytes([0x90, 36, 100]))
    assert len(strikes) == 1


def test_a_pedal_that_is_down_when_the_page_is_left_or_its_port_goes_is_lifted(
    control: MidiOscPresenter, strikes: Strikes, ports: FakePorts, window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    hold(control, tmp_path, 0)
    control.page.midi.gate.setChecked(True)
    played = bytes.fromhex("b0 40 7f 90 24 64 80 24 00")
    ports.send(PORT, played)
    assert strikes.released == []
    window.pages.open_page(TRAINING)
    assert strikes.released == [("pad", 0)]
    window.pages.open_page(PLAY)
    ports.send(PORT, played)
    assert strikes.released == [("pad", 0)]
    ports.connected.clear()
    qtbot.waitUntil(lambda: strikes.released == [("pad", 0)] * 2, timeout=WAIT)


@pytest.mark.parametrize("change", ["page", "target"])
def test_a_knob_is_learned_only_while_it_is_waited_for(
    change: str, control: MidiOscPresenter, ports: FakePorts, window: MainWindow
) -> None:
    panel = control.page.midi
    panel.learn.click()
    assert panel.controller.text() == "turn it…"
    if change == "page":
        window.pages.open_page(TRAINING)
        window.pages.open_page(PLAY)
        assert panel.controller.text() == "CC 16"
    else:
        panel.targets.setCurrentIndex(1)
        assert panel.controller.text() == "CC 17"
    ports.send(PORT, bytes([0xB0, 7, 100]))
    assert (control.controls.controller_of("x"), control.controls.target_of(7)) == (16, None)


def test_a_key_that_is_held_does_not_sound_on_when_the_keys_get_another_meaning(
    control: MidiOscPresenter, ports: FakePorts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(control, tmp_path, 0)
    control.board.key_sound = tmp_path / "pad 0.wav"
    control.page.midi.keys.setCurrentIndex(1)
    done: list[object] = []
    monkeypatch.setattr(control._player, "strike", lambda strike: done.append(strike.key))
    monkeypatch.setattr(control._player, "release_all", lambda: done.append("all"))
    ports.send(PORT, bytes([0xB0, 64, 127, 0x90, 72, 100, 0x90, 74, 100, 0x80, 74, 0]))
    assert done == [("key", 12), ("key", 14)], "the second one is held by the pedal"
    control.page.midi.keys.setCurrentIndex(0)  # their ends are not heard as those of keys any more
    assert done[2:] == ["all"]
    ports.send(PORT, bytes([0x80, 72, 0, 0xB0, 64, 0]))
    assert done[3:] == []


def test_osc_does_not_hear_itself(
    control: MidiOscPresenter, strikes: Strikes, window: MainWindow, tmp_path: Path
) -> None:
    pytest.importorskip("pythonosc")
    free = OscInput(lambda _address, _values: None, 0)
    free.close()
    panel = control.page.midi
    panel.osc_in.setValue(free.port)
    panel.osc_out.setValue(free.port)
    panel.osc.setChecked(True)
    assert "Choose two different ones" in window.notices.text()
    assert (control._osc_in, control._osc_out) == (None, None), "a note would play itself again without end"
    panel.osc_out.setValue(free.port + 1 if free.port < 65_535 else 1024)
    panel.osc_out.editingFinished.emit()
    assert window.notices.text() == ""
    assert control._osc_in is not None
    panel.osc.setChecked(False)


def test_osc_goes_on_while_its_fields_are_passed(control: MidiOscPresenter) -> None:
    pytest.importorskip("pythonosc")
    free = OscInput(lambda _address, _values: None, 0)
    free.close()
    panel = control.page.midi
    panel.osc_in.setValue(free.port)
    panel.osc.setChecked(True)
    received = control._osc_in
    assert received is not None
    panel.osc_out.editingFinished.emit()  # as when Tab leaves the field
    assert control._osc_in is received
    panel.osc_in.setValue(free.port + 1 if free.port < 65_535 else 1024)
    panel.osc_in.editingFinished.emit()
    assert control._osc_in is not received
    panel.osc.setChecked(False)
    assert control._osc_in is None


def test_osc_plays_and_is_told(
    control: MidiOscPresenter,
    strikes: Strikes,
    play: PlayPresenter,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    pytest.importorskip("pythonosc")
    told: list[tuple[str, tuple[float, ...]]] = []
    ear = OscInput(lambda address, values: told.append((address, tuple(values))), 0)
    free = OscInput(lambda _address, _values: None, 0)
    free.close()
    panel = control.page.midi
    panel.osc_in.setValue(free.port)
    panel.osc_out.setValue(ear.port)
    panel.osc.setChecked(True)
    sender = OscOutput(free.port)
    try:
        hold(control, tmp_path, 3)
        sender.send("/distill/pad/4", 1.0)
        qtbot.waitUntil(lambda: len(strikes) == 1, timeout=WAIT)
        qtbot.waitUntil(lambda: ("/distill/pad/4", (1.0,)) in told, timeout=WAIT)
        sender.send("/distill/point", 0.25, 0.75)
        qtbot.waitUntil(lambda: ("/distill/point", (0.25, 0.75)) in told, timeout=WAIT)
        assert play.page.map.cursor_position == (0.25, 0.75)
    finally:
        sender.close()
        panel.osc.setChecked(False)
        ear.close()
    qtbot.waitUntil(lambda: play.current is not None, timeout=WAIT)
    idle(play, qtbot)
