"""Routes pads, MIDI and OSC to the `Board`, and moves of point and sliders to the page.

Notes go from the thread of a port straight to the player; the window hears of them by queued signals, and only shows
them.  Moves of the point and the sliders are carried out by the window.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from distill.control.midi_messages import MidiMessage
from distill.control.midi_ports import PortWatcher
from distill.control.osc import ADDRESS, OscInput, OscOutput, take_osc
from distill.control.pads_keys_and_knobs import Board, Controls
from distill.errors import MidiError
from distill.gui.play.page import PlayPage
from distill.gui.widgets.notices import NoticeBar
from distill.gui.window_part import WindowPart
from distill.playback.player import Player
from distill.settings import WindowSettings

TOPIC = "midi"


class MidiOscPresenter(QObject, WindowPart):
    """Routes pads, MIDI and OSC to the `Board`, and moves of point and sliders to the page."""

    #: From the threads of ports, received on this object's.
    pad_played = Signal(int)
    key_played = Signal(int)
    point_moved = Signal(object, object)  # x and y, or None
    slider_moved = Signal(str, float)
    _point_waits = Signal()
    _ports_changed = Signal(object, object)
    _learned = Signal(int, str)

    def __init__(self, player: Player, page: PlayPage, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._player, self.page, self._notices = player, page, notices
        self.board = Board(player)
        self.controls = Controls(self)
        self.controls.on_learned = self._learned.emit
        self._is_page_open = False  # ports stay open meanwhile, and what they receive is passed over
        self._point_lock = threading.Lock()
        #: Where the point was moved to and is not shown yet: of a flood of messages the newest counts.
        self._point: tuple[float | None, float | None] = (None, None)
        self._point_waits.connect(self._on_point_waits)
        self._watcher: PortWatcher | None = None
        self._osc_in: OscInput | None = None
        self._osc_out: OscOutput | None = None
        self._osc_ports = 0, 0  # in and out, while they are open
        pads, panel = page.pads, page.midi
        page.appeared.connect(self._on_appeared)
        page.disappeared.connect(self._on_disappeared)
        pads.pressed.connect(self._on_pad_pressed)
        pads.released.connect(self._on_pad_released)
        pads.held.connect(self.board.hold)
        pads.group_chosen.connect(self.board.choose_group)
        panel.port_chosen.connect(self._on_port_chosen)
        panel.pitches_toggled.connect(self._on_pitches_toggled)
        panel.gate_toggled.connect(self._on_gate_toggled)
        panel.learning_requested.connect(self._on_learning_requested)
        panel.targets.currentIndexChanged.connect(lambda _index: self._learn_no_more())
        panel.osc_changed.connect(self._on_osc_changed)
        self._ports_changed.connect(panel.show_ports)
        self._ports_changed.connect(lambda _names, _opened: self.controls.lift_pedals())
        self._learned.connect(self._on_learned)
        self.pad_played.connect(lambda pad: pads.pads[pad].light_up())
        self.key_played.connect(lambda key: panel.show_state(self.tr("Key {0:+d}").format(key)))
        self.show_sliders(())

    def restore(self, settings: WindowSettings) -> None:
        """Use the ports and controllers of the last session."""
        saved, panel = settings.instrument, self.page.midi
        if isinstance(saved.get("controllers"), dict):
            self.controls.restore(saved["controllers"])
        for spin, name in ((panel.osc_in, "osc_in"), (panel.osc_out, "osc_out")):
            if isinstance(saved.get(name), int | float):
                spin.setValue(int(saved[name]))
        panel.gate.setChecked(saved.get("gate") is True)
        panel.keys.setCurrentIndex(1 if saved.get("pitches") is True else 0)
        port = saved.get("port", "")
        panel.choose(port if isinstance(port, str) or port is None else "")
        panel.osc.setChecked(saved.get("osc") is True)
        self._show_controller()

    def save(self, settings: WindowSettings) -> None:
        """Keep the ports and controllers."""
        panel = self.page.midi
        settings.instrument = {
            "port": panel.wanted, "pitches": self.controls.plays_pitches, "gate": self.board.ends_at_release,
            "controllers": self.controls.to_dict(), "osc": panel.osc.isChecked(), "osc_in": panel.osc_in.value(),
            "osc_out": panel.osc_out.value(),
        }  # fmt: skip

    def close(self) -> None:
        """Close all ports."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.close()
        self._close_osc()

    def show_sliders(self, names: Sequence[str]) -> None:
        """Let controllers move these sliders."""
        self.controls.sliders = tuple(names)
        self.page.midi.show_targets(names)
        self._show_controller()

    def show_sound(self, sound: Path | None) -> None:
        """Let the keys play the current sound."""
        self.board.key_sound = sound
        if self.controls.plays_pitches and self.page.isVisible():
            self.board.prepare_keys()

    # What is played; called on the threads of ports, too.

    def strike_pad(self, pad: int, velocity: int) -> None:
        """Play a pad."""
        if self.board.strike_pad(pad, velocity):
            self.pad_played.emit(pad)
            self._send_osc(f"/pad/{pad + 1}", velocity / 127)

    def release_pad(self, pad: int) -> None:
        """End a pad's sound."""
        self.board.release_pad(pad)
        self._send_osc(f"/pad/{pad + 1}", 0.0)

    def strike_key(self, semitones: int, velocity: int) -> None:
        """Play a key."""
        if self.board.strike_key(semitones, velocity):
            self.key_played.emit(semitones)

    def release_key(self, semitones: int) -> None:
        """End a key's note."""
        self.board.release_key(semitones)

    def move_point(self, x: float | None, y: float | None) -> None:
        """Move the point on the map."""
        with self._point_lock:
            (old_x, old_y), is_waiting = self._point, self._point != (None, None)
            self._point = (old_x if x is None else x, old_y if y is None else y)
        if not is_waiting:
            self._point_waits.emit()

    def move_slider(self, name: str, amount: float) -> None:
        """Move a slider."""
        self.slider_moved.emit(name, amount)

    def stop_all(self) -> None:
        """End all notes."""
        self.board.stop_all()

    def send_point(self, x: float, y: float) -> None:
        """Send where the point is."""
        self._send_osc("/point", x, y)

    def send_slider(self, name: str, amount: float) -> None:
        """Send where a slider is, -1 to 1."""
        self._send_osc(f"/slider/{name}", amount)

    # The page.

    def _on_appeared(self) -> None:
        self._is_page_open = True
        self._player.arm(True)
        self.board.prepare()
        if self._watcher is None:
            self._watcher = PortWatcher(self._take_midi, self._ports_changed.emit)
            self._watcher.want(self.page.midi.wanted)

    def _on_disappeared(self) -> None:
        self._is_page_open = self.page.isVisible()
        if self._is_page_open:  # in a minimized window, which is played as before
            return
        self._learn_no_more()
        self.controls.lift_pedals()
        self.board.stop_all()
        self._player.arm(False)

    def _on_point_waits(self) -> None:
        with self._point_lock:
            (x, y), self._point = self._point, (None, None)
        self.point_moved.emit(x, y)

    def _take_midi(self, message: MidiMessage) -> None:
        if self._is_page_open:
            self.controls.take_midi(message)

    def _on_pad_pressed(self, pad: int) -> None:
        self.board.strike_pad(pad, 127)
        self._send_osc(f"/pad/{pad + 1}", 1.0)

    def _on_pad_released(self, pad: int) -> None:
        self.release_pad(pad)

    def _on_port_chosen(self, name: str | None) -> None:
        if self._watcher is not None:
            self._watcher.want(name)

    def _on_pitches_toggled(self, is_on: bool) -> None:
        self.board.stop_all()  # the ends of keys that are held come as those of pads, or the other way round
        self.controls.plays_pitches = is_on
        self.show_sound(self.board.key_sound)

    def _on_gate_toggled(self, is_on: bool) -> None:
        self.board.ends_at_release = is_on

    def _on_learning_requested(self, target: str) -> None:
        self.controls.learn(target)
        self.page.midi.show_controller(self.tr("turn it…"))

    def _learn_no_more(self) -> None:
        """Wait for no knob any more, and show which one moves the target."""
        self.controls.learn(None)
        self._show_controller()

    def _on_learned(self, _controller: int, _target: str) -> None:
        self._show_controller()

    def _show_controller(self) -> None:
        target = self.page.midi.targets.currentData()
        controller = self.controls.controller_of(target) if target else None
        self.page.midi.show_controller("" if controller is None else self.tr("CC {0}").format(controller))

    # OSC.

    def _on_osc_changed(self) -> None:
        panel = self.page.midi
        received, sent = panel.osc_in.value(), panel.osc_out.value()
        is_as_before = self._osc_in is not None and self._osc_ports == (received, sent)
        if panel.osc.isChecked() and is_as_before:  # a field was left as it was
            return
        self._close_osc()
        self._notices.forget(TOPIC)
        if not panel.osc.isChecked():
            return
        try:
            if received == sent:
                raise MidiError(self.tr("OSC would hear itself: both ports are the same. Choose two different ones."))
            self._osc_ports = received, sent
            self._osc_out = OscOutput(sent)
            self._osc_in = OscInput(self._take_osc, received)
        except MidiError as error:
            self._close_osc()
            self._notices.notify_error(TOPIC, error)

    def _take_osc(self, address: str, values: Sequence[Any]) -> None:
        if self._is_page_open:
            take_osc(self.controls, address, values)

    def _close_osc(self) -> None:
        received, self._osc_in = self._osc_in, None
        sent, self._osc_out = self._osc_out, None
        if received is not None:
            received.close()
        if sent is not None:
            sent.close()

    def _send_osc(self, address: str, *values: float) -> None:
        output = self._osc_out
        if output is not None:
            output.send(f"{ADDRESS}{address}", *values)
