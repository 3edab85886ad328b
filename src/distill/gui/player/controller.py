"""The player as Qt sees it: its listener, which is called from other threads, becomes a queued signal."""

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from distill.playback.devices import OutputDevice
from distill.playback.player import Player, PlayerState, PlayerStatus

#: How often the position is asked for while a sound plays.
POSITION_MILLISECONDS = 33


class PlayerController(QObject):
    """Plays sounds for the window."""

    status_changed = Signal(object)  # PlayerStatus
    position_changed = Signal(float)  # seconds
    devices_found = Signal(object)  # tuple[OutputDevice, ...]

    #: The same from the player's threads; it crosses into this object's thread by Qt's queue.
    _crossed = Signal(object)
    _found = Signal(object)

    def __init__(self, player: Player | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._crossed.connect(self._on_crossed)
        self._found.connect(self.devices_found)
        self.player = player or Player()
        self.player.listener = self._crossed.emit
        self.player.devices_listener = self._found.emit
        self.status = PlayerStatus()
        self._chosen: Path | None = None
        self._timer = QTimer(self, interval=POSITION_MILLISECONDS)
        self._timer.timeout.connect(self._on_tick)

    @property
    def chosen(self) -> Path | None:
        """The sound that `play_again` plays."""
        return self._chosen

    def play(self, path: Path, start_seconds: float = 0.0) -> None:
        """Play a file."""
        self._chosen = path
        self.player.play(path, start_seconds)

    def compare(self, path: Path, other: Path) -> None:
        """Play a file, or go on playing it, so that `toggle_compare` can switch to another one and back.

        Both are heard at the same loudness.  By convention ``other`` is what ``path`` was made from.
        """
        self._chosen = path
        self.player.compare(path, other)

    def toggle_compare(self) -> None:
        """Let the other one of two sounds be heard, at the same place; does nothing when none are compared."""
        self.player.toggle()

    def play_again(self, start_seconds: float = 0.0) -> None:
        """Play the last sound once more, and of two that are compared the one that was heard last."""
        if self.status.pair is not None and self.status.path in self.status.pair:
            path, other = self.status.pair
            self.player.compare(path, other, start_seconds, hears_other=self.status.path == other)
        elif self._chosen is not None:
            self.play(self._chosen, start_seconds)

    def stop(self) -> None:
        """Be silent."""
        self.player.stop()

    def seek(self, seconds: float) -> None:
        """Go elsewhere in the sound; one that is silent starts to play from there."""
        if self.status.state is PlayerState.PLAYING:
            self.player.seek(seconds)
        else:
            self.play_again(seconds)

    def scrub(self, seconds: float) -> None:
        """Go elsewhere in the sound while it is heard; a silent one stays silent until it is let go of."""
        self.player.seek(seconds)

    def set_looping(self, is_looping: bool) -> None:
        """Let a sound begin again at its end."""
        self.player.is_looping = is_looping

    def choose_device(self, device: OutputDevice | None) -> None:
        """Play through this device; None is the system's default."""
        self.player.choose_device(device)

    def look_for_devices(self, may_interrupt: bool = False) -> None:
        """Ask for `devices_found`; see `Player.look_for_devices`."""
        self.player.look_for_devices(may_interrupt)

    def set_volume(self, volume: float) -> None:
        """Set the linear gain, from 0 to 1."""
        self.player.volume = volume

    def close(self) -> None:
        """Give the device back."""
        self._timer.stop()
        self.player.close()

    def _on_crossed(self, status: PlayerStatus) -> None:
        self.status = status
        self.status_changed.emit(status)
        if status.state is PlayerState.PLAYING:
            self._timer.start()
        else:
            self._timer.stop()
            self.position_changed.emit(0.0)

    def _on_tick(self) -> None:
        self.position_changed.emit(self.player.position_seconds)
