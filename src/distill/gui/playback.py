"""The player as Qt sees it: its listener, which is called from other threads, becomes a queued signal."""

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from distill.playback.player import Player, PlayerState, PlayerStatus

#: How often the position is asked for while a sound plays.
POSITION_MILLISECONDS = 33


class Playback(QObject):
    """Plays sounds for the window."""

    status_changed = Signal(object)  # PlayerStatus
    position_changed = Signal(float)  # seconds

    #: The same from the player's threads; it crosses into this object's thread by Qt's queue.
    _crossed = Signal(object)

    def __init__(self, player: Player | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._crossed.connect(self._on_crossed)
        self.player = player or Player()
        self.player.listener = self._crossed.emit
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

    def play_again(self, start_seconds: float = 0.0) -> None:
        """Play the last file once more."""
        if self._chosen is not None:
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
