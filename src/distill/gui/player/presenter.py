"""Connects the player with its toolbar and with the lists that sounds are chosen from."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QWidget

from distill.gui.player.toolbar import PlayerToolbar
from distill.gui.player.window_wide_keys import PlayerKeys
from distill.gui.previews.panel import PreviewPanel
from distill.gui.sounds.panel import SoundsPanel
from distill.gui.widgets.notices import NoticeBar
from distill.gui.window_part import WindowPart
from distill.playback.output_device import OutputDevice
from distill.playback.player import Player, PlayerState, PlayerStatus
from distill.runs.preview_files import PreviewSound
from distill.settings import WindowSettings

#: Topics of the notices about the player, and about the output device.
TOPIC, DEVICE_TOPIC = "playback", "output device"

#: Milliseconds between two updates of the position while a sound plays.
POSITION_MILLISECONDS = 33


class PlayerController(QObject):
    """The player as a `QObject`: turns its listeners, which other threads call, into queued signals."""

    status_changed = Signal(object)  # PlayerStatus
    position_changed = Signal(float)  # seconds
    devices_found = Signal(object)  # tuple[OutputDevice, ...]

    #: Emitted on the player's thread and received on this object's thread, through Qt's event queue.
    _status_received = Signal(object)
    _devices_received = Signal(object)

    def __init__(self, player: Player | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._status_received.connect(self._on_status_received)
        self._devices_received.connect(self.devices_found)
        self.player = player or Player()
        self.player.listener = self._status_received.emit
        self.player.devices_listener = self._devices_received.emit
        self.status = PlayerStatus()
        self._chosen: Path | None = None
        self._taken: Path | None = None  # chosen, but not played as a track
        self._timer = QTimer(self, interval=POSITION_MILLISECONDS)
        self._timer.timeout.connect(self._on_tick)

    @property
    def chosen(self) -> Path | None:
        """The sound that `play_again` plays."""
        return self._chosen

    def play(self, path: Path, start_seconds: float = 0.0) -> None:
        """Play a file."""
        self._choose(path)
        self.player.play(path, start_seconds)

    def compare(self, path: Path, other: Path) -> None:
        """Play a file, or keep playing it, so that `toggle_compare` can switch to another one and back.

        Both are played at the same loudness.  By convention ``path`` is the model's copy of ``other``.
        """
        self._choose(path)
        self.player.compare(path, other)

    def compare_group(self, paths: Sequence[Path], heard: int) -> None:
        """Play one of several files, all at the same loudness; the position is kept if one of them is playing."""
        self._choose(paths[heard])
        self.player.compare_group(paths, heard)

    def take(self, path: Path) -> None:
        """Have a file ready to play that is heard in another way, as notes are; a track that plays goes on to its end.

        Only then is the file shown as the one that is played next.
        """
        self._chosen = self._taken = path
        self._show_taken()

    def _choose(self, path: Path) -> None:
        self._chosen, self._taken = path, None

    def _show_taken(self) -> None:
        """Show the file that was taken at once, and its waveform as soon as the player has read it."""
        path, state = self._taken, self.status.state
        if path is None or path == self.status.path or state is PlayerState.PLAYING:
            return
        self._on_status_received(PlayerStatus(state, path))
        self.player.load(path, lambda: self._taken == path)

    def switch_to(self, number: int) -> None:
        """Switch to another one of these files, at the same position."""
        self.player.switch_to(number)

    def toggle_compare(self) -> None:
        """Switch to the other one of two compared sounds, at the same position; does nothing if none are compared."""
        self.player.toggle()

    def play_again(self, start_seconds: float = 0.0) -> None:
        """Play the last sound again; of two compared sounds the one heard last."""
        if self.status.pair is not None and self.status.path in self.status.pair:
            path, other = self.status.pair
            self.player.compare(path, other, start_seconds, hears_other=self.status.path == other)
        elif self.status.path in self.status.group:
            self.player.compare_group(self.status.group, self.status.group.index(self.status.path), start_seconds)
        elif self._chosen is not None:
            self.play(self._chosen, start_seconds)

    def follow_file(self, before: Path, path: Path) -> None:
        """Know a file by the name that it has now."""
        if self._chosen == before:
            self._chosen = path
        if self._taken == before:
            self._taken = path
        if self.status.path == before:
            self._on_status_received(replace(self.status, path=path))

    def stop(self) -> None:
        """Stop the sound."""
        self.player.stop()

    def seek(self, seconds: float) -> None:
        """Move to another position; a stopped sound starts from there."""
        if self.status.state is PlayerState.PLAYING:
            self.player.seek(seconds)
        else:
            self.play_again(seconds)

    def scrub(self, seconds: float) -> None:
        """Move to another position while the slider is dragged; a stopped sound stays stopped."""
        self.player.seek(seconds)

    def set_looping(self, is_looping: bool) -> None:
        """Set whether sounds repeat."""
        self.player.is_looping = is_looping

    def choose_device(self, device: OutputDevice | None) -> None:
        """Play through this device; None is the system's default."""
        self.player.choose_device(device)

    def look_for_devices(self, may_interrupt: bool = False) -> None:
        """Request `devices_found`; see `Player.look_for_devices`."""
        self.player.look_for_devices(may_interrupt)

    def set_volume(self, volume: float) -> None:
        """Set the linear gain, from 0 to 1."""
        self.player.volume = volume

    def close(self) -> None:
        """Release the device."""
        self._timer.stop()
        self.player.close()

    def _on_status_received(self, status: PlayerStatus) -> None:
        self.status = status
        self.status_changed.emit(status)
        if status.state is PlayerState.PLAYING:
            self._timer.start()
        else:
            self._timer.stop()
            self.position_changed.emit(0.0)
            self._show_taken()

    def _on_tick(self) -> None:
        self.position_changed.emit(self.player.position_seconds)


class PlayerPresenter(QObject, WindowPart):
    """Plays what is clicked, and shows what is playing."""

    def __init__(
        self,
        player: Player | None,
        toolbar: PlayerToolbar,
        browser: SoundsPanel,
        previews: PreviewPanel,
        notices: NoticeBar,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._toolbar, self._browser, self._previews, self._notices = toolbar, browser, previews, notices
        self.playback = PlayerController(player, self)
        self._current: Path | None = None
        browser.audition_requested.connect(self.play)
        browser.stop_requested.connect(self.playback.stop)
        browser.current_changed.connect(self._on_current_changed)
        for cells in previews.table.cells:
            cells.playing_requested.connect(self._on_preview_requested)
        previews.table.chosen_changed.connect(self._on_preview_chosen)
        previews.comparing_requested.connect(self._on_comparing_requested)
        toolbar.play_requested.connect(self.play_current)
        toolbar.stop_requested.connect(self.playback.stop)
        toolbar.seek_requested.connect(self.playback.seek)
        toolbar.scrubbed.connect(self.playback.scrub)
        toolbar.loop_chosen.connect(self.playback.set_looping)
        toolbar.compare_requested.connect(self.playback.toggle_compare)
        toolbar.volume_chosen.connect(self.playback.set_volume)
        self.playback.set_volume(toolbar.gain)  # the slider was set before there was a player
        toolbar.device_menu.device_chosen.connect(self._on_device_chosen)
        toolbar.device_menu.look_requested.connect(self.playback.look_for_devices)
        self.playback.devices_found.connect(toolbar.device_menu.show_devices)
        self.playback.status_changed.connect(self._on_status)
        self.playback.position_changed.connect(toolbar.show_position)
        toolbar.show_can_play(False)
        self._keys = PlayerKeys(
            parent,
            {Qt.Key.Key_Space: self.play_or_stop, Qt.Key.Key_B: self.playback.toggle_compare},
            lambda: self._current is not None or self.playback.status.state is PlayerState.PLAYING,
        )

    def play(self, path: Path, start_seconds: float = 0.0) -> None:
        """Play a sound, from its beginning by default."""
        self._on_current_changed(path)
        self.playback.play(path, start_seconds)

    def compare(self, path: Path, other: Path) -> None:
        """Play a sound that can be switched to another one and back; see `PlayerController.compare`."""
        self._on_current_changed(path)
        self.playback.compare(path, other)

    def take(self, path: Path) -> None:
        """Make a sound the current one without playing it, such as one that is heard as a note."""
        self._on_current_changed(path)
        self.playback.take(path)

    def play_current(self) -> None:
        """Play the sound that was chosen last, in any list."""
        if self._current is None:
            return
        if self._current in (self.playback.status.pair or ()):
            self.playback.play_again()
        else:
            self.playback.play(self._current)

    def follow_file(self, before: Path, path: Path) -> None:
        """Play a file under the name that it has now."""
        if self._current == before:
            self._current = path
        self.playback.follow_file(before, path)

    def play_or_stop(self) -> None:
        """Stop the playing sound, or play the one that was chosen last."""
        if self.playback.status.state is PlayerState.PLAYING:
            self.playback.stop()
        else:
            self.play_current()

    def restore(self, settings: WindowSettings) -> None:
        """Use the volume and the output device of the last session."""
        self._toolbar.show_volume(settings.volume)
        if settings.output_device:
            device = OutputDevice(settings.output_device, settings.output_host_api)
            self._toolbar.device_menu.show_chosen(device)
            self._on_device_chosen(device)

    def save(self, settings: WindowSettings) -> None:
        """Keep volume and output device."""
        device = self._toolbar.device_menu.chosen
        settings.volume = self._toolbar.gain
        settings.output_device = device.name if device is not None else ""
        settings.output_host_api = device.host_api if device is not None else ""

    def close(self) -> None:
        """End the player's thread."""
        self.playback.close()

    def _on_device_chosen(self, device: OutputDevice | None) -> None:
        self._notices.forget(DEVICE_TOPIC)
        self._toolbar.show_device(device.name if device is not None else None)
        self.playback.choose_device(device)

    def _on_preview_requested(self, sound: PreviewSound) -> None:
        self.play(sound.path)

    def _on_comparing_requested(self, sound: PreviewSound, original: PreviewSound) -> None:
        """Switch between the two at the same position; if none is playing, begin with the model's copy."""
        status, pair = self.playback.status, (sound.path, original.path)
        if status.pair == pair:
            self.playback.toggle_compare()
            return
        self.compare(*pair)
        if status.state is PlayerState.PLAYING and status.path == sound.path:
            self.playback.toggle_compare()

    def _on_preview_chosen(self, sound: PreviewSound) -> None:
        self._on_current_changed(sound.path)

    def _on_current_changed(self, path: Path) -> None:
        self._current = path
        self._toolbar.show_can_play(True)

    def _on_status(self, status: PlayerStatus) -> None:
        self._toolbar.show_status(status)
        heard = status.path if status.state is PlayerState.PLAYING else None
        self._previews.show_playing(heard, status.pair)
        self._browser.view.show_heard(heard)
        if status.pair is not None:
            self._toolbar.compare.show_heard(status.path == status.pair[1])
        if status.note is not None:
            self._notices.notify(DEVICE_TOPIC, status.note, "warning")
        elif status.state is PlayerState.PLAYING:
            self._notices.forget(DEVICE_TOPIC)
        if status.error is not None:
            self._notices.notify(TOPIC, status.error, "warning")
        elif status.state is PlayerState.PLAYING:
            self._notices.forget(TOPIC)
