"""Plays one sound, or two that are compared, and the notes of pads and keys, through one device; without Qt.

Every call returns at once.  The player's own thread decodes files and talks to the device, both of which can take
longer than a window may wait; PortAudio's thread only copies blocks that are ready.  Changes are reported to a
listener, which is called from the player's thread: a window must turn the call into a queued signal.

The player's thread survives every error.  A failing driver or file is reported in the status, a bug is also reported to
`distill.diagnostics`, and the next request opens the device again.

While the player is *armed* for notes, the device is open with a short buffer and runs between notes, so that the next
one is heard at once.  After some minutes without sound it rests, and the next note starts it again.
"""

import logging
import queue
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from distill import diagnostics
from distill.errors import PlaybackError
from distill.playback.block_source import BlockSource, Voice
from distill.playback.command_queue import CommandQueue, once
from distill.playback.instrument import Instrument, Strike
from distill.playback.output_device import GONE, NoteBuffer, Output, OutputDevice, find_outputs, stand_in_note
from distill.playback.player_status import PlayerState, PlayerStatus
from distill.playback.tracks import PlayRequest, Track, load_sound, make_tracks, sound_peaks

log = logging.getLogger(__name__)

__all__ = ["Player", "PlayerState", "PlayerStatus"]

#: Seconds between two checks of the device while a sound plays.
LOOK_SECONDS = 1.0

#: Maximum time in seconds to wait at closing for a device that does not respond.  The system releases it when the
#: program ends.
CLOSING_SECONDS = 5.0

Listener = Callable[[PlayerStatus], None]
DevicesListener = Callable[[tuple[OutputDevice, ...]], None]
OutputFactory = Callable[..., Output]


@dataclass(eq=False)
class _LateNote:
    """A note that waits for its sound, or for the device."""

    strike: Strike
    is_released: bool = False


class Player:
    """Plays sounds.  Nothing is opened or started before the first `play`.

    The public methods may be called from any thread.

    Parameters
    ----------
    listener
        Called with each new status, from the player's thread.
    open_output
        Opens a device: called as `Output` is.
    find_devices
        Lists the devices: with True after a restart of PortAudio, with False from its current list.
    """

    def __init__(
        self,
        listener: Listener | None = None,
        open_output: OutputFactory = Output,
        find_devices: Callable[[bool], tuple[OutputDevice, ...]] = find_outputs,
    ) -> None:
        self.listener = listener
        #: Called with the devices that `look_for_devices` found, from the player's thread.
        self.devices_listener: DevicesListener | None = None
        self._open_output, self._find_devices = open_output, find_devices
        self._lock = threading.Lock()  # guards the four attributes below, which callers of any thread change
        self._late_notes: list[_LateNote] = []
        self._commands = CommandQueue()
        self._request_number = 0  # so that an outdated request is skipped
        self._thread: threading.Thread | None = None
        self._status = PlayerStatus()
        self._device: OutputDevice | None = None
        self._output: Output | None = None
        self._source = BlockSource(lambda: self._is_live and self._is_armed, self._on_ended)
        self._tracks: tuple[Track, ...] = ()
        self._is_armed = self._is_live = False
        self._note_buffer = NoteBuffer()

    # Requests: from any thread, return at once.

    def play(self, path: Path, start_seconds: float = 0.0) -> None:
        """Play a file from ``start_seconds`` on, instead of the current sound."""
        self._replace(lambda: self._begin(PlayRequest((path,), 0, start_seconds)))

    def compare(self, path: Path, other: Path, start_seconds: float | None = None, hears_other: bool = False) -> None:
        """Play a file so that `toggle` can switch to another one and back, both at the same loudness.

        If one of the two is playing, the position is kept unless ``start_seconds`` is given.
        """
        request = PlayRequest((path, other), int(hears_other), start_seconds or 0.0, goes_on=start_seconds is None)
        self._replace(lambda: self._begin(request))

    def compare_group(self, paths: Sequence[Path], heard: int = 0, start_seconds: float | None = None) -> None:
        """Play one of several files so that `switch_to` can change to another one, all at the same loudness.

        If one of them is playing, the position is kept unless ``start_seconds`` is given.
        """
        goes_on = start_seconds is None
        request = PlayRequest(tuple(paths), heard, start_seconds or 0.0, goes_on=goes_on, is_group=True)
        self._replace(lambda: self._begin(request))

    def switch_to(self, number: int) -> None:
        """Switch to another one of the sounds of a group, at the same position; play it if none is playing."""
        self._put(lambda: self._switch_to(number), must_start=False)

    def toggle(self) -> None:
        """Switch to the other one of two compared sounds, or the next of a group; play it if none is playing."""
        self._put(self._toggle, must_start=False)

    def load(self, path: Path, is_wanted: Callable[[], bool]) -> None:
        """Report a file as the loaded sound, unless a sound plays or `is_wanted` returns False by then."""
        self._put_work(once(lambda: self._load(path) if is_wanted() else None))

    def stop(self) -> None:
        """Stop the sound."""
        self._replace(self._stop, must_start=False)

    def seek(self, seconds: float) -> None:
        """Move to another position in the playing sound; does nothing if none is playing."""
        voice = self._source.voice
        if voice is not None and self._status.state is PlayerState.PLAYING:
            voice.jump(seconds)

    def arm(self, is_armed: bool) -> None:
        """Hold the device open for notes, with a short buffer, or no longer."""
        if is_armed != self._is_armed:
            self._is_armed = is_armed
            self._put(self._take_over_mode, must_start=is_armed)

    def strike(self, strike: Strike) -> None:
        """Play a note.  One whose sound is ready, on an armed player, begins with the device's next block."""
        instrument = self._source.instrument
        if instrument is None or not self._source.is_running or not instrument.play(strike):
            note = _LateNote(strike)
            with self._lock:
                self._late_notes.append(note)
            self._put(lambda: self._strike(note))
        elif not self._source.is_running:  # the device has come to rest just now
            self._put(self._start_live)

    def release(self, key: Hashable) -> None:
        """End the note of a key, with a short fade; one that is not ready yet is ended when it begins."""
        with self._lock:
            for note in self._late_notes:
                note.is_released |= note.strike.key == key
            if (instrument := self._source.instrument) is not None:
                instrument.mixer.release(key)

    def release_all(self) -> None:
        """End all notes, also those that are not ready yet."""
        with self._lock:
            for note in self._late_notes:
                note.is_released = True
            if (instrument := self._source.instrument) is not None:
                instrument.mixer.release_all()

    def prepare(
        self, paths: Iterable[Path], semitones: Sequence[int] = (0,), is_wanted: Callable[[], bool] = lambda: True
    ) -> None:
        """Make sounds ready for notes, while nothing else is requested: a note waits for one pitch of one sound.

        Parameters
        ----------
        paths
            The files, each of which is decoded once.
        semitones
            Pitches of each.
        is_wanted
            Called before each pitch, on the player's thread; False gives up the rest.
        """
        for path in paths:
            self._put_work(self._prepare(path, semitones, is_wanted))

    def call(self, function: Callable[[], None]) -> None:
        """Call a function on the player's thread, after all that was requested before."""
        self._put_work(once(function))

    def choose_device(self, device: OutputDevice | None) -> None:
        """Play through this device from now on; None is the system's default.  The current sound continues there."""
        with self._lock:
            if self._thread is None:  # at the start of the window: there is nothing to close
                self._device = device
                return
        self._put(lambda: self._choose_device(device))

    def look_for_devices(self, may_interrupt: bool = False) -> None:
        """Call `devices_listener` with the connected devices.

        PortAudio has to be restarted to see devices connected since.  While a sound plays, this is only done with
        ``may_interrupt``, which interrupts the sound for a moment.
        """
        self._put(lambda: self._look_for_devices(may_interrupt))

    def close(self) -> None:
        """Stop, release the device and end the player's thread.  The next `play` starts a new one."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._request_number += 1
            self._commands.put(self._close_output)
            self._commands.put(None)
            self._commands = CommandQueue()
            self._late_notes.clear()
        if thread is not None:
            thread.join(CLOSING_SECONDS)
            if thread.is_alive():
                log.warning("The sound device does not respond and could not be closed")

    @property
    def volume(self) -> float:
        """Linear gain, from 0 to 1."""
        return self._source.volume

    @volume.setter
    def volume(self, value: float) -> None:
        self._source.volume = min(max(float(value), 0.0), 1.0)

    @property
    def is_looping(self) -> bool:
        """Whether a sound repeats without a gap."""
        return self._source.is_looping

    @is_looping.setter
    def is_looping(self, value: bool) -> None:
        self._source.is_looping = value

    # State.

    @property
    def status(self) -> PlayerStatus:
        """What the player is doing now."""
        return self._status

    @property
    def device(self) -> OutputDevice | None:
        """The chosen device; None is the system's default."""
        return self._device

    @property
    def position_seconds(self) -> float:
        """The position that is heard now: sound still queued in the device is not counted."""
        voice, output = self._source.voice, self._output
        if voice is None or output is None or self._status.state is not PlayerState.PLAYING:
            return 0.0
        return voice.seconds_heard(output.latency_seconds)

    @property
    def sounding(self) -> int:
        """Number of notes that sound."""
        instrument = self._source.instrument
        return instrument.mixer.sounding if instrument is not None and self._source.is_running else 0

    @property
    def note_seconds(self) -> float:
        """Length of the buffer for notes; it grows where the computer does not keep up."""
        return self._note_buffer.seconds

    @property
    def underflows(self) -> int:
        """Blocks delivered too late since the device was opened: each one is a dropout."""
        output = self._output
        return output.underflows if output is not None else 0

    # The player's own thread.

    @property
    def _is_playing(self) -> bool:
        return self._status.state is PlayerState.PLAYING

    def _replace(self, command: Callable[[], None], must_start: bool = True) -> None:
        """Queue a command that is skipped if a newer one is queued before its turn."""
        with self._lock:
            self._request_number += 1
            number = self._request_number
        self._put(lambda: command() if number == self._request_number else None, must_start)

    def _put(self, command: Callable[[], None], must_start: bool = True) -> None:
        """Queue a command; without a thread, start one or do nothing."""
        with self._lock:
            if self._thread is not None or must_start:
                self._start_thread()
                self._commands.put(command)

    def _put_work(self, steps: Iterator[None]) -> None:
        """Queue work that is done while there are no commands."""
        with self._lock:
            self._start_thread()
            self._commands.put_work(steps)

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, args=(self._commands,), name="player", daemon=True)
            self._thread.start()

    def _work(self, commands: CommandQueue) -> None:
        while (command := self._next_command(commands)) is not None:
            try:
                command()
            except PlaybackError as exc:
                self._fail(str(exc))
            except Exception as exc:  # border: without this thread every later click would be ignored
                diagnostics.report(exc)
                self._fail("The player failed. Click again; the details are in the log.", must_close=True)

    def _fail(self, message: str, must_close: bool = False) -> None:
        """Report a failed request, beside which a sound plays on; after a bug also close the device.

        The state of the device is unknown then.
        """
        state = self._status.state
        try:
            if must_close:
                self._close_output()
            if state is PlayerState.PLAYING and self._source.voice is not None:
                self._notify(replace(self._status, error=message))
            else:
                self._notify(PlayerStatus(PlayerState.IDLE if state is PlayerState.PLAYING else state, error=message))
        except Exception as exc:  # border: as in `_work`
            diagnostics.report(exc)

    def _next_command(self, commands: CommandQueue) -> Callable[[], None] | None:
        """Wait for a command; check the device meanwhile while a sound plays."""
        while (output := self._output) is not None and (self._source.is_running or self._is_playing):
            with suppress(queue.Empty):
                return commands.get(timeout=LOOK_SECONDS)
            if output.is_stalled:
                return self._lose_device if self._is_live or self._is_playing else self._close_output
            if self._note_buffer.runs_dry(output.underflows, self._is_live):
                return self._lengthen_buffer
        return commands.get()

    def _begin(self, request: PlayRequest) -> None:
        goes_on = request.goes_on and self._status.state is PlayerState.PLAYING and self._status.path in request.paths
        if not goes_on:
            self._silence()
        sounds = [load_sound(path) for path in request.paths]
        first, seconds = request.paths[request.heard], max(sound.seconds for sound in sounds)
        status = PlayerStatus(PlayerState.PLAYING, first, seconds, pair=request.pair, group=request.group)
        try:
            output = self._ready_output()
            self._tracks = make_tracks(sounds, output.format, output.latency_seconds)
            track = self._tracks[request.heard]
            if goes_on and self._source.voice is not None and not self._source.voice.is_at_end:
                self._source.voice.track = track
            else:
                start = request.start_seconds
                # A start in the middle of a sound fades in, so that it does not click.
                volume = self._source.volume if start <= 0 else 0.0
                self._source.voice = Voice(track, output.format.sample_rate, start, volume)
                if not self._source.is_running:  # one that runs crossfades
                    self._run(output)
        except PlaybackError as exc:
            self._close_output()  # the next one is opened with a new list of devices
            self._notify(replace(status, state=PlayerState.NO_DEVICE, error=str(exc)))
            return
        except Exception:
            self._close_output()  # the same after a bug, which `_work` reports
            raise
        self._notify(replace(status, peaks=track.peaks, note=self._note(output)))

    def _load(self, path: Path) -> None:
        with suppress(PlaybackError):  # reported when it is to be played
            if self._status.state is not PlayerState.PLAYING:
                sound = load_sound(path)
                self._notify(PlayerStatus(self._status.state, path, sound.seconds, peaks=sound_peaks(sound)))

    def _note(self, output: Output) -> str | None:
        if not output.is_stand_in or self._device is None:
            return None
        return stand_in_note(self._device)

    def _ready_output(self) -> Output:
        """Return the open device; it is opened anew where notes need a shorter buffer, or none do any more."""
        if self._output is not None and self._is_live != self._is_armed:
            self._close_output(keeps_status=True, keeps_notes=True)
        if self._output is None:
            self._is_live = self._is_armed
            live = {"live_seconds": self._note_buffer.seconds} if self._is_live else {}
            self._note_buffer.begin()
            self._output = self._open_output(self._source.fill, self._on_drained, self._device, **live)
            if self._source.instrument is None or self._source.instrument.format != self._output.format:
                self._source.instrument = Instrument(self._output.format)
        return self._output

    def _run(self, output: Output) -> None:
        output.stop()  # one that has just ended still plays what it has queued: silence
        # Twice what is queued: a driver may drop its queue at the end, and takes several blocks at a time.
        self._source.start(round(2 * output.latency_seconds * output.format.sample_rate))
        try:
            output.start()
        except BaseException:
            self._source.is_running = False
            raise

    # Notes.

    def _take_over_mode(self) -> None:
        """Open the device for notes; or leave it to the next sound, which opens it with the long buffer."""
        if self._is_armed:
            with self._device_closed():
                self._start_live()
        elif self._is_live and self._status.state is not PlayerState.PLAYING:
            if self._source.is_running and self._output is not None and self._source.instrument is not None:
                self._source.instrument.fade_out(self._output.latency_seconds)
            self._close_output()

    def _lengthen_buffer(self) -> None:
        self._note_buffer.lengthen()
        with self._device_closed():
            pass

    def _start_live(self) -> None:
        try:
            output = self._ready_output()
            if not self._source.is_running:
                self._run(output)
        except PlaybackError as exc:
            self._close_output()
            self._notify(replace(self._status, state=PlayerState.NO_DEVICE, error=str(exc)))
        except Exception:
            self._close_output()
            raise
        else:
            if self._status.state is PlayerState.NO_DEVICE:
                self._notify(replace(self._status, state=PlayerState.IDLE, error=None))

    def _strike(self, note: _LateNote) -> None:
        """Play a note whose sound, or for which the device, is not ready yet."""
        strike = note.strike
        try:
            if not self._source.is_running or self._output is None:
                self._start_live()
            if (instrument := self._source.instrument) is not None and self._output is not None:
                instrument.prepare(strike.path, strike.semitones)
                with self._lock:  # a release comes before it, and is noted, or after it, and finds the note
                    instrument.play(strike)
                    if note.is_released:
                        instrument.mixer.release(strike.key)
                if not self._source.is_running:  # the device has come to rest while the sound was decoded
                    self._start_live()
        finally:
            with self._lock, suppress(ValueError):
                self._late_notes.remove(note)

    def _prepare(self, path: Path, semitones: Sequence[int], is_wanted: Callable[[], bool]) -> Iterator[None]:
        decoded = None
        for higher in semitones:
            if self._source.instrument is None or not self._source.instrument.has_room_for(path) or not is_wanted():
                return
            try:
                decoded = self._source.instrument.prepare(path, higher, decoded)
            except PlaybackError:  # reported when it is to be played
                return
            yield

    def _toggle(self) -> None:
        status = self._status
        compared = status.group or status.pair or ()
        if status.path in compared:
            self._switch_to((compared.index(status.path) + 1) % len(compared))

    def _switch_to(self, number: int) -> None:
        status, voice = self._status, self._source.voice
        compared = status.group or status.pair or ()
        if not 0 <= number < len(compared):
            return
        if status.state is PlayerState.PLAYING and voice is not None:
            track = voice.track = self._tracks[number]
            self._notify(replace(status, path=compared[number], error=None, peaks=track.peaks))
        else:
            self._begin(PlayRequest(compared, number, is_group=bool(status.group)))

    def _stop(self) -> None:
        self._silence()
        self._notify(replace(self._status, state=PlayerState.IDLE, error=None))

    def _silence(self) -> None:
        self._source.voice = None  # a device that runs fades it out, and then ends or takes the next one

    def _close_output(self, keeps_status: bool = False, keeps_notes: bool = False) -> None:
        self._source.voice = None
        output, self._output = self._output, None
        self._source.is_running = False
        if not keeps_status and self._status.state is PlayerState.PLAYING:
            self._status = replace(self._status, state=PlayerState.IDLE)
        if output is not None:
            output.close()
        if self._source.instrument is not None and not keeps_notes:  # they would go on when the device is opened again
            self._source.instrument.mixer.clear()

    def _choose_device(self, device: OutputDevice | None) -> None:
        if device != self._device:
            with self._device_closed():
                self._device = device

    def _look_for_devices(self, may_interrupt: bool) -> None:
        devices: tuple[OutputDevice, ...] = ()
        try:
            if (self.sounding or self._is_playing) and not may_interrupt:
                devices = self._find_devices(False)
            else:
                with self._device_closed():
                    devices = self._find_devices(True)
        finally:
            if self.devices_listener is not None:
                self.devices_listener(devices)

    @contextmanager
    def _device_closed(self) -> Iterator[None]:
        """Release the device for the block; the playing sound continues afterwards from its position."""
        status, again, was_armed = self._status, None, self._is_live and self._source.is_running
        if status.state is PlayerState.PLAYING and status.path is not None:
            paths = status.group or status.pair or (status.path,)
            heard, is_group = paths.index(status.path), bool(status.group)
            again = PlayRequest(paths, heard, self.position_seconds, is_group=is_group)
        self._close_output(keeps_notes=True)
        yield
        if again is not None:
            self._begin(again)
        elif was_armed and self._is_armed and not self._source.is_running:
            self._start_live()

    def _lose_device(self) -> None:
        self._notify(replace(self._status, state=PlayerState.NO_DEVICE, error=GONE, note=None))
        self._close_output()  # after the report: a driver that hangs may hang here, too

    def _after_drained(self, voice: Voice) -> None:
        if voice is not self._source.voice or self._status.state is not PlayerState.PLAYING:
            return
        if voice.is_at_end:
            self._stop()
        elif not self._source.is_running:  # or it was started again in the meantime
            self._lose_device()

    def _notify(self, status: PlayerStatus) -> None:
        self._status = status
        if self.listener is not None:
            self.listener(status)

    # PortAudio's thread.

    def _on_ended(self, voice: Voice) -> None:
        self._commands.put(lambda: self._after_drained(voice))

    def _on_drained(self) -> None:
        self._source.is_running = False
        voice, instrument = self._source.voice, self._source.instrument
        if voice is not None:
            self._put(lambda: self._after_drained(voice), must_start=False)
        if instrument is not None and instrument.mixer.is_waiting:  # for a block that does not come
            self._put(self._start_live, must_start=False)
