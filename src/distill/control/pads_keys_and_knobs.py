"""Sixteen pads, the keys, the point on the map and the sliders: which MIDI messages play them, and what then sounds.

The MIDI layout is fixed but for the controllers, which can be learned: notes 36 (C2) to 51 are the 16 pads, or, where
the keys play one sound, note 60 (C4) is its own pitch.  The sustain pedal (controller 64) holds notes, unless it is
learned as a knob.  `distill.control.osc` has the same under addresses.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from distill.control.midi_messages import (
    ALL_OFF,
    CONTROL,
    FIRST_MODE,
    NOTE_OFF,
    NOTE_ON,
    PEDAL_DOWN,
    RESET,
    SUSTAIN,
    MidiMessage,
)
from distill.playback.instrument import Strike
from distill.playback.player import Player

PADS = 16
#: The note of the first pad, and the note at which a sound has its own pitch.
FIRST_PAD, OWN_PITCH = 36, 60

#: Targets of controllers that are not sliders.
POINT_X, POINT_Y = "x", "y"

#: Controllers by default: the general purpose ones move the point, those after them the sliders in their order.
_POINT_CONTROLLERS = {16: POINT_X, 17: POINT_Y}
_FIRST_SLIDER = 18


class Target(Protocol):
    """What is played.  The methods are called on threads of ports."""

    def strike_pad(self, pad: int, velocity: int) -> None:
        """Play a pad, 0 to 15, at a velocity, 1 to 127."""

    def release_pad(self, pad: int) -> None:
        """End the note of a pad."""

    def strike_key(self, semitones: int, velocity: int) -> None:
        """Play the one sound, this much higher."""

    def release_key(self, semitones: int) -> None:
        """End the note of a key."""

    def move_point(self, x: float | None, y: float | None) -> None:
        """Move the point on the map, 0 to 1; None stays."""

    def move_slider(self, name: str, amount: float) -> None:
        """Move a slider, -1 to 1."""

    def stop_all(self) -> None:
        """End all notes."""


class Controls:
    """Hands messages to a target.

    Parameters
    ----------
    target
        What is played.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        #: Whether the keys play one sound at different pitches, instead of the pads.
        self.plays_pitches = False
        #: Names of the sliders, in their order.
        self.sliders: tuple[str, ...] = ()
        self._learned_controllers: dict[int, str] = {}
        self._target_to_learn: str | None = None
        self._sustained_channels: set[int] = set()  # channels whose sustain pedal is down
        self._sustained_notes: set[tuple[int, int]] = set()  # channel and number of notes that it holds
        #: Called with controller and target once it is learned, on the port's thread.
        self.on_learned: Callable[[int, str], None] = lambda _controller, _target: None

    # Controllers.

    def target_of(self, controller: int) -> str | None:
        """Return what a controller moves: "x", "y", the name of a slider, or nothing."""
        if controller in self._learned_controllers:
            return self._learned_controllers[controller]
        target = _POINT_CONTROLLERS.get(controller)
        number = controller - _FIRST_SLIDER
        if target is None and 0 <= number < len(self.sliders):
            target = self.sliders[number]
        return target if target not in self._learned_controllers.values() else None

    def controller_of(self, target: str) -> int | None:
        """Return the controller that moves a target."""
        return next((number for number in range(FIRST_MODE) if self.target_of(number) == target), None)

    def learn(self, target: str | None) -> None:
        """Let the next controller that is moved move this target; None: no longer.

        Channel mode messages have numbers of controllers, too, but no knob sends them: they are not waited for.
        """
        self._target_to_learn = target

    def to_dict(self) -> dict[str, Any]:
        """Return what was learned, as plain values."""
        return {str(number): target for number, target in self._learned_controllers.items()}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take over what was learned; what does not fit is passed over."""
        for text, target in data.items():
            if text.isdecimal() and int(text) < FIRST_MODE and isinstance(target, str) and 0 < len(target) < 40:
                self._learned_controllers[int(text)] = target

    # Messages.

    def take_midi(self, message: MidiMessage) -> None:
        """Carry out a MIDI message of any channel."""
        if message.status in (NOTE_ON, NOTE_OFF):
            self._take_note(message)
        elif message.status == CONTROL and message.number in ALL_OFF:
            self._sustained_notes.clear()
            self.target.stop_all()
        elif message.status == CONTROL and (message.number == RESET or self._is_pedal(message.number)):
            self._press_pedal(message.channel, message.number == SUSTAIN and message.value >= PEDAL_DOWN)
        elif message.status == CONTROL and message.number < FIRST_MODE:
            self._take_controller(message.number, message.value)

    def lift_pedals(self) -> None:
        """Let go of the sustain pedals, where it may not be received that a player does."""
        for channel in tuple(self._sustained_channels):
            self._press_pedal(channel, False)

    def _take_note(self, message: MidiMessage) -> None:
        """Begin a note, or end it unless the pedal holds it."""
        velocity = message.value if message.status == NOTE_ON else 0
        channel_and_note = (message.channel, message.number)
        if not velocity and message.channel in self._sustained_channels and SUSTAIN not in self._learned_controllers:
            self._sustained_notes.add(channel_and_note)
            return
        self._sustained_notes.discard(channel_and_note)
        self.play_note(message.number, velocity)

    def _is_pedal(self, controller: int) -> bool:
        return controller == SUSTAIN and self._target_to_learn is None and SUSTAIN not in self._learned_controllers

    def _press_pedal(self, channel: int, is_down: bool) -> None:
        if is_down:
            self._sustained_channels.add(channel)
            return
        self._sustained_channels.discard(channel)
        for channel_and_note in tuple(self._sustained_notes):  # other ports may add to them
            if channel_and_note[0] == channel:
                self._sustained_notes.discard(channel_and_note)
                self.play_note(channel_and_note[1], 0)

    def play_note(self, note: int, velocity: int) -> None:
        """Play a note of the layout, 0 to 127, at a velocity, 1 to 127; 0 ends it."""
        if not self.plays_pitches:
            if 0 <= note - FIRST_PAD < PADS:
                self.play_pad(note - FIRST_PAD, velocity)
        elif velocity:
            self.target.strike_key(note - OWN_PITCH, velocity)
        else:
            self.target.release_key(note - OWN_PITCH)

    def play_pad(self, pad: int, velocity: int) -> None:
        """Play a pad, 0 to 15, at a velocity, 1 to 127; 0 ends it."""
        if velocity:
            self.target.strike_pad(pad, velocity)
        else:
            self.target.release_pad(pad)

    def _take_controller(self, controller: int, value: int) -> None:
        learned, self._target_to_learn = self._target_to_learn, None
        if learned is not None:
            known = self._learned_controllers.items()
            self._learned_controllers = {number: target for number, target in known if target != learned}
            self._learned_controllers[controller] = learned
            self.on_learned(controller, learned)
        target = self.target_of(controller)
        if target == POINT_X:
            self.target.move_point(value / 127, None)
        elif target == POINT_Y:
            self.target.move_point(None, value / 127)
        elif target is not None:
            self.target.move_slider(target, max((value - 64) / 63, -1.0))


#: Keys of the computer keyboard that play the pads, by pad.  They lie as the pads do.
PAD_KEYS = "1234QWERASDFZXCV"

#: Number of choke groups.
GROUPS = 4

#: Semitones around its own pitch at which the keys' sound is made ready; others take a moment at their first note.
_READY_KEYS = range(-12, 13)


class Board:
    """What the pads hold, and how they are played.

    Its methods may be called from any thread: a port's thread plays a note without waiting for a window.

    Parameters
    ----------
    player
        Plays the notes.
    """

    def __init__(self, player: Player) -> None:
        self._player = player
        self._pads: list[Path | None] = [None] * PADS
        self._groups = [0] * PADS
        self._key_sound: Path | None = None
        #: Whether a pad's sound ends when it is released.  That of a key always does.
        self.ends_at_release = False

    def hold(self, pad: int, path: Path | None) -> None:
        """Put a sound on a pad, or empty it."""
        self._pads[pad] = path
        if path is not None:
            self._player.prepare([path])

    def choose_group(self, pad: int, group: int) -> None:
        """Put a pad into a group whose pads end each other, 1 to `GROUPS`; 0 is none."""
        self._groups[pad] = group

    @property
    def key_sound(self) -> Path | None:
        """The sound that the keys play."""
        return self._key_sound

    @key_sound.setter
    def key_sound(self, path: Path | None) -> None:
        self._key_sound = path

    def prepare_keys(self) -> None:
        """Make the sound of the keys ready at its pitches, until they play another one."""
        key_sound = self._key_sound
        if key_sound is not None:
            self._player.prepare([key_sound], sorted(_READY_KEYS, key=abs), lambda: self._key_sound == key_sound)

    def prepare(self) -> None:
        """Make all sounds of the pads ready: after the device was opened."""
        self._player.prepare(sound for sound in self._pads if sound is not None)

    def strike_pad(self, pad: int, velocity: int) -> bool:
        """Play a pad; return False where it is empty."""
        pad_sound = self._pads[pad]
        if pad_sound is None:
            return False
        self._player.strike(Strike(pad_sound, ("pad", pad), velocity, group=self._groups[pad]))
        return True

    def release_pad(self, pad: int) -> None:
        """End the sound of a pad, where pads are played so."""
        if self.ends_at_release:
            self._player.release(("pad", pad))

    def strike_key(self, semitones: int, velocity: int) -> bool:
        """Play the keys' sound this much higher; return False where there is none."""
        key_sound = self._key_sound
        if key_sound is None:
            return False
        self._player.strike(Strike(key_sound, ("key", semitones), velocity, semitones))
        return True

    def release_key(self, semitones: int) -> None:
        """End the note of a key."""
        self._player.release(("key", semitones))

    def stop_all(self) -> None:
        """End all notes."""
        self._player.release_all()
