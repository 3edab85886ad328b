"""The player: one sound at a time, through the default device, without Qt.

Every call returns at once.  A thread of the player's own decodes files and talks to the device, both of which can
take longer than a window may wait; PortAudio's thread only copies blocks that are ready.  Who wants to know about
changes passes a listener, which is called from those threads: a window must turn the call into a queued signal.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.errors import PlaybackError
from distill.playback.output import Output
from distill.playback.sound import Sound, fitted, load_sound

#: Length of the fade where a sound is stopped or jumped in, so that it does not click.
FADE_FRAMES = 256

#: Silence before a sound: a device that wakes up swallows the first milliseconds, with them the attack of a one-shot.
LEAD_SECONDS = 0.03

#: Silence after a sound, beyond what waits in the device: some drivers throw away what waits when a stream ends.
TAIL_SECONDS = 0.08


class PlayerState(Enum):
    """What the player does."""

    IDLE = "idle"
    PLAYING = "playing"
    NO_DEVICE = "no device"


@dataclass(frozen=True)
class PlayerStatus:
    """What a listener is told.

    Attributes
    ----------
    state
        What the player does.
    path
        The sound that is loaded, or None.
    seconds
        Its duration.
    error
        Why the last sound could not be played; None when it could.
    """

    state: PlayerState = PlayerState.IDLE
    path: Path | None = None
    seconds: float = 0.0
    error: str | None = None


Listener = Callable[[PlayerStatus], None]
OutputFactory = Callable[[Callable[[NDArray[np.float32]], bool], Callable[[], None]], Output]


class _Voice:
    """The sound that is heard: the one object that PortAudio's thread shares with the others.

    ``next_frame`` is only written to by the callback; ``jump_to`` asks it to go elsewhere.  Both count in
    ``frames``, which are the sound's with silence before and after.
    """

    def __init__(self, sound: Sound, tail_seconds: float, start_seconds: float) -> None:
        self.sound = sound
        self.lead = round(LEAD_SECONDS * sound.sample_rate)
        tail = round(tail_seconds * sound.sample_rate)
        self.frames = np.pad(sound.frames, ((self.lead, tail), (0, 0)))
        self.jump_to: int | None = None
        self.next_frame = self.frame_at(start_seconds) - self.lead  # the lead-in is then a little of what is before

    def frame_at(self, seconds: float) -> int:
        """Return where in ``frames`` a time of the sound is."""
        return self.lead + min(max(round(seconds * self.sound.sample_rate), 0), len(self.sound.frames))

    @property
    def handed_over_seconds(self) -> float:
        """How much of the sound the device has taken."""
        return (self.next_frame - self.lead) / self.sound.sample_rate


class Player:
    """Plays sounds.  Nothing is opened or started before the first `play`."""

    def __init__(self, listener: Listener | None = None, open_output: OutputFactory = Output) -> None:
        #: Told of each change, from the threads of the player.
        self.listener = listener
        self._open_output = open_output
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._status = PlayerStatus()
        self._output: Output | None = None
        self._voice: _Voice | None = None
        self._volume = 1.0
        self._gain = 1.0  # what the callback has reached on its way to the volume
        self._asked = 0  # counts calls, so that an overtaken one is not carried out

    # What the user asks for: any thread, returns at once.

    def play(self, path: Path, start_seconds: float = 0.0) -> None:
        """Play a file from ``start_seconds`` on, in place of what is heard now."""
        self._ask(lambda: self._play(path, start_seconds))

    def stop(self) -> None:
        """Be silent."""
        if self._thread is not None:
            self._ask(self._stop)

    def seek(self, seconds: float) -> None:
        """Go on elsewhere in the sound that is heard; does nothing when none is."""
        voice = self._voice
        if voice is not None and self._status.state is PlayerState.PLAYING:
            voice.jump_to = voice.frame_at(seconds)

    def close(self) -> None:
        """Be silent, give the device back and end the player's thread.  The next `play` starts afresh."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._asked += 1
            self._commands.put(self._close_output)
            self._commands.put(None)
            thread.join()

    @property
    def volume(self) -> float:
        """Linear gain, from 0 to 1."""
        return self._volume

    @volume.setter
    def volume(self, value: float) -> None:
        self._volume = min(max(float(value), 0.0), 1.0)

    # What there is to see.

    @property
    def status(self) -> PlayerStatus:
        """What the player does now."""
        return self._status

    @property
    def position_seconds(self) -> float:
        """Where in the sound the ear is now: what still waits in the device is not counted."""
        voice, output = self._voice, self._output
        if voice is None or output is None or self._status.state is not PlayerState.PLAYING:
            return 0.0
        return min(max(voice.handed_over_seconds - output.latency_seconds, 0.0), voice.sound.seconds)

    @property
    def underflows(self) -> int:
        """Blocks that came too late since the device was opened: each one is a dropout."""
        return self._output.underflows if self._output is not None else 0

    # The player's own thread.

    def _ask(self, command: Callable[[], None]) -> None:
        self._asked += 1
        number = self._asked
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="player", daemon=True)
            self._thread.start()
        self._commands.put(lambda: command() if number == self._asked else None)

    def _work(self) -> None:
        while (command := self._commands.get()) is not None:
            try:
                command()
            except PlaybackError as exc:
                state = self._status.state
                self._tell(PlayerStatus(PlayerState.IDLE if state is PlayerState.PLAYING else state, error=str(exc)))

    def _play(self, path: Path, start_seconds: float) -> None:
        self._silence()
        sound = load_sound(path)
        try:
            output = self._ready_output()
            ready = fitted(sound, output.format.sample_rate, output.format.channels)
            self._voice = _Voice(ready, output.latency_seconds + TAIL_SECONDS, start_seconds)
            self._gain = self._volume
            output.start()
        except PlaybackError as exc:
            self._close_output()  # the next one is opened with a fresh look for devices
            self._tell(PlayerStatus(PlayerState.NO_DEVICE, path, sound.seconds, str(exc)))
            return
        self._tell(PlayerStatus(PlayerState.PLAYING, path, sound.seconds))

    def _ready_output(self) -> Output:
        if self._output is None:
            self._output = self._open_output(self._fill, self._on_drained)
        return self._output

    def _stop(self) -> None:
        self._silence()
        self._tell(replace(self._status, state=PlayerState.IDLE, error=None))

    def _silence(self) -> None:
        self._voice = None
        if self._output is not None:
            self._output.stop()

    def _close_output(self) -> None:
        self._voice = None
        if self._output is not None:
            self._output.close()
            self._output = None
        self._status = replace(self._status, state=PlayerState.IDLE)

    def _after_drained(self, voice: _Voice) -> None:
        if voice is self._voice and self._status.state is PlayerState.PLAYING:
            reached_end = voice.next_frame >= len(voice.frames)
            self._silence()
            if reached_end:
                self._tell(replace(self._status, state=PlayerState.IDLE, error=None))
            else:
                self._close_output()
                message = "The sound device is gone. Connect one, and click again."
                self._tell(replace(self._status, state=PlayerState.NO_DEVICE, error=message))

    def _tell(self, status: PlayerStatus) -> None:
        self._status = status
        if self.listener is not None:
            self.listener(status)

    # PortAudio's thread: no allocation of sound, no locks, no Python loop over samples.

    def _fill(self, block: NDArray[np.float32]) -> bool:
        voice = self._voice
        if voice is None:
            block.fill(0.0)
            return False
        jumped = voice.jump_to is not None
        if jumped:
            voice.next_frame, voice.jump_to = voice.jump_to or 0, None
        start = voice.next_frame
        count = min(len(block), len(voice.frames) - start)
        if self._gain == self._volume:
            gain: NDArray[np.float32] | np.float32 = np.float32(self._gain)
        else:  # a step in the volume would click
            gain = np.linspace(self._gain, self._volume, count, dtype=np.float32)[:, np.newaxis]
            self._gain = self._volume
        np.multiply(voice.frames[start : start + count], gain, out=block[:count])
        block[count:] = 0.0
        if jumped:
            fade = min(FADE_FRAMES, count)
            block[:fade] *= np.linspace(0.0, 1.0, fade, dtype=np.float32)[:, np.newaxis]
        voice.next_frame = start + count
        return count == len(block)

    def _on_drained(self) -> None:
        voice = self._voice
        if voice is not None:
            self._commands.put(lambda: self._after_drained(voice))
