"""The player: one sound, or two that are compared, through one device, without Qt.

Every call returns at once.  A thread of the player's own decodes files and talks to the device, both of which can
take longer than a window may wait; PortAudio's thread only copies blocks that are ready.  Who wants to know about
changes passes a listener, which is called from those threads: a window must turn the call into a queued signal.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.errors import PlaybackError
from distill.playback.devices import OutputDevice, find_outputs
from distill.playback.output import Fill, Output
from distill.playback.sound import load_sound
from distill.playback.status import PlayerState, PlayerStatus
from distill.playback.tracks import PlayRequest, make_tracks
from distill.playback.voice import Track, Voice

log = logging.getLogger(__name__)

__all__ = ["Player", "PlayerState", "PlayerStatus"]

#: How often the device is looked after while a sound plays.
LOOK_SECONDS = 1.0

#: How long closing waits for a device that does not answer.  The system takes it back when the program ends.
CLOSING_SECONDS = 5.0

Listener = Callable[[PlayerStatus], None]
DevicesListener = Callable[[tuple[OutputDevice, ...]], None]
OutputFactory = Callable[[Fill, Callable[[], None], OutputDevice | None], Output]


class Player:
    """Plays sounds.  Nothing is opened or started before the first `play`.

    Parameters
    ----------
    listener
        Told of each change, from the threads of the player.
    open_output
        Opens a device.
    find_devices
        Looks for devices: anew while none is open, or as they were when the one that is open was looked for.
    """

    def __init__(
        self,
        listener: Listener | None = None,
        open_output: OutputFactory = Output,
        find_devices: Callable[[bool], tuple[OutputDevice, ...]] = find_outputs,
    ) -> None:
        self.listener = listener
        #: Told of the devices that `look_for_devices` found, from the player's thread.
        self.devices_listener: DevicesListener | None = None
        #: Whether a sound begins again at its end, without a gap.
        self.is_looping = False
        self._open_output, self._find_devices = open_output, find_devices
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._status = PlayerStatus()
        self._device: OutputDevice | None = None
        self._output: Output | None = None
        self._voice: Voice | None = None
        self._tracks: tuple[Track, ...] = ()
        self._volume = 1.0
        self._asked = 0  # counts calls, so that an overtaken one is not carried out

    # What the user asks for: any thread, returns at once.

    def play(self, path: Path, start_seconds: float = 0.0) -> None:
        """Play a file from ``start_seconds`` on, in place of what is heard now."""
        self._ask(lambda: self._begin(PlayRequest((path,), 0, start_seconds)))

    def compare(self, path: Path, other: Path, start_seconds: float | None = None, hears_other: bool = False) -> None:
        """Play a file so that `toggle` can switch to another one and back, both at the same loudness.

        Where one of the two is heard already, it goes on from there, unless ``start_seconds`` says otherwise.
        """
        request = PlayRequest((path, other), int(hears_other), start_seconds or 0.0, goes_on=start_seconds is None)
        self._ask(lambda: self._begin(request))

    def toggle(self) -> None:
        """Switch to the other one of two sounds that are compared; in silence, play it."""
        if self._thread is not None:
            self._put(self._toggle)

    def stop(self) -> None:
        """Be silent."""
        if self._thread is not None:
            self._ask(self._stop)

    def seek(self, seconds: float) -> None:
        """Go on elsewhere in the sound that is heard; does nothing when none is."""
        voice = self._voice
        if voice is not None and self._status.state is PlayerState.PLAYING:
            voice.jump(seconds)

    def choose_device(self, device: OutputDevice | None) -> None:
        """Play through this device from now on; None is the system's default.  What is heard goes on there."""
        if self._thread is None:  # at the start of the window: there is nothing to close
            self._device = device
        else:
            self._put(lambda: self._choose_device(device))

    def look_for_devices(self, may_interrupt: bool = False) -> None:
        """Tell the devices there are.

        PortAudio has to be started anew to see what has been connected since.  While a sound plays, this is only
        done with ``may_interrupt``: the sound is then interrupted for a moment.
        """
        self._put(lambda: self._look_for_devices(may_interrupt))

    def close(self) -> None:
        """Be silent, give the device back and end the player's thread.  The next `play` starts afresh."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._asked += 1
            self._commands.put(self._close_output)
            self._commands.put(None)
            thread.join(CLOSING_SECONDS)
            if thread.is_alive():
                log.warning("The sound device does not answer; it is left to itself")

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
    def device(self) -> OutputDevice | None:
        """The device that was chosen; None is the system's default."""
        return self._device

    @property
    def position_seconds(self) -> float:
        """Where in the sound the ear is now: what still waits in the device is not counted."""
        voice, output = self._voice, self._output
        if voice is None or output is None or self._status.state is not PlayerState.PLAYING:
            return 0.0
        return voice.seconds_heard(output.latency_seconds)

    @property
    def underflows(self) -> int:
        """Blocks that came too late since the device was opened: each one is a dropout."""
        return self._output.underflows if self._output is not None else 0

    # The player's own thread.

    def _ask(self, command: Callable[[], None]) -> None:
        """Have a command carried out, unless a newer one is asked for before its turn comes."""
        self._asked += 1
        number = self._asked
        self._put(lambda: command() if number == self._asked else None)

    def _put(self, command: Callable[[], None]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="player", daemon=True)
            self._thread.start()
        self._commands.put(command)

    def _work(self) -> None:
        while (command := self._next_command()) is not None:
            try:
                command()
            except PlaybackError as exc:
                state = self._status.state
                self._notify(PlayerStatus(PlayerState.IDLE if state is PlayerState.PLAYING else state, error=str(exc)))

    def _next_command(self) -> Callable[[], None] | None:
        """Wait for a command, with an eye on the device while a sound plays."""
        while (output := self._output) is not None and self._status.state is PlayerState.PLAYING:
            with suppress(queue.Empty):
                return self._commands.get(timeout=LOOK_SECONDS)
            if output.is_stalled:
                return self._lose_device
        return self._commands.get()

    def _begin(self, request: PlayRequest) -> None:
        goes_on = request.goes_on and self._status.state is PlayerState.PLAYING and self._status.path in request.paths
        if not goes_on:
            self._silence()
        sounds = [load_sound(path) for path in request.paths]
        first, seconds = request.paths[request.heard], max(sound.seconds for sound in sounds)
        status = PlayerStatus(PlayerState.PLAYING, first, seconds, pair=request.pair)
        try:
            output = self._ready_output()
            self._tracks = make_tracks(sounds, output.format, output.latency_seconds)
            track = self._tracks[request.heard]
            if goes_on and self._voice is not None and not self._voice.is_at_end:
                self._voice.track = track
            else:
                start = request.start_seconds
                # What begins in the middle of a sound fades in, so that it does not click.
                volume = self._volume if start <= 0 else 0.0
                self._voice = Voice(track, output.format.sample_rate, start, volume)
                output.start()
        except PlaybackError as exc:
            self._close_output()  # the next one is opened with a fresh look for devices
            self._notify(replace(status, state=PlayerState.NO_DEVICE, error=str(exc)))
            return
        self._notify(replace(status, peaks=track.peaks, note=self._note(output)))

    def _note(self, output: Output) -> str | None:
        if not output.is_stand_in or self._device is None:
            return None
        return f"{self._device.name} is not connected; you hear the system's default device instead."

    def _ready_output(self) -> Output:
        if self._output is None:
            self._output = self._open_output(self._fill, self._on_drained, self._device)
        return self._output

    def _toggle(self) -> None:
        status, voice = self._status, self._voice
        if status.pair is None or status.path is None:
            return
        other = 1 - status.pair.index(status.path)
        if status.state is PlayerState.PLAYING and voice is not None:
            track = voice.track = self._tracks[other]
            self._notify(replace(status, path=status.pair[other], peaks=track.peaks))
        else:
            self._begin(PlayRequest(status.pair, other))

    def _stop(self) -> None:
        self._silence()
        self._notify(replace(self._status, state=PlayerState.IDLE, error=None))

    def _silence(self) -> None:
        self._voice = None
        if self._output is not None:
            self._output.stop()

    def _close_output(self) -> None:
        self._voice = None
        if self._output is not None:
            self._output.close()
            self._output = None
        if self._status.state is PlayerState.PLAYING:
            self._status = replace(self._status, state=PlayerState.IDLE)

    def _choose_device(self, device: OutputDevice | None) -> None:
        if device != self._device:
            with self._device_closed():
                self._device = device

    def _look_for_devices(self, may_interrupt: bool) -> None:
        devices: tuple[OutputDevice, ...] = ()
        try:
            if self._status.state is PlayerState.PLAYING and not may_interrupt:
                devices = self._find_devices(False)
            else:
                with self._device_closed():
                    devices = self._find_devices(True)
        finally:
            if self.devices_listener is not None:
                self.devices_listener(devices)

    @contextmanager
    def _device_closed(self) -> Iterator[None]:
        """Give the device back for a while; what is heard goes on afterwards, where the ear was."""
        status, again = self._status, None
        if status.state is PlayerState.PLAYING and status.path is not None:
            paths = status.pair or (status.path,)
            again = PlayRequest(paths, paths.index(status.path), self.position_seconds)
        self._close_output()
        yield
        if again is not None:
            self._begin(again)

    def _lose_device(self) -> None:
        message = "The sound device is gone. Connect one, and click again."
        self._notify(replace(self._status, state=PlayerState.NO_DEVICE, error=message, note=None))
        self._close_output()  # after it is told: a driver that hangs may hang in here, too

    def _after_drained(self, voice: Voice) -> None:
        if voice is not self._voice or self._status.state is not PlayerState.PLAYING:
            return
        if voice.is_at_end:
            self._stop()
        else:
            self._lose_device()

    def _notify(self, status: PlayerStatus) -> None:
        self._status = status
        if self.listener is not None:
            self.listener(status)

    # PortAudio's thread.

    def _fill(self, block: NDArray[np.float32]) -> bool:
        voice = self._voice
        if voice is None:
            block.fill(0.0)
            return False
        return voice.fill(block, self._volume, self.is_looping)

    def _on_drained(self) -> None:
        voice = self._voice
        if voice is not None:
            self._commands.put(lambda: self._after_drained(voice))
