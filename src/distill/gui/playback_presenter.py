"""Between the player, the transport, and the lists that sounds are chosen from."""

from pathlib import Path

from PySide6.QtCore import QObject

from distill.gui.notices import NoticeBar
from distill.gui.playback import Playback
from distill.gui.preview_tree import PreviewSound
from distill.gui.previews import PreviewPanel
from distill.gui.sound_browser import SoundBrowser
from distill.gui.transport import Transport
from distill.playback.player import Player, PlayerState, PlayerStatus

#: Topic of the notices about the player.
TOPIC = "playback"


class PlaybackPresenter(QObject):
    """Plays what is clicked, and shows what is heard."""

    def __init__(
        self,
        player: Player | None,
        transport: Transport,
        browser: SoundBrowser,
        previews: PreviewPanel,
        notices: NoticeBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._transport, self._previews, self._notices = transport, previews, notices
        self.playback = Playback(player, self)
        self._current: Path | None = None
        browser.audition_asked.connect(self.play)
        browser.current_changed.connect(self._on_current_changed)
        previews.playing_asked.connect(self._on_preview_asked)
        previews.current_changed.connect(self._on_preview_chosen)
        transport.play_asked.connect(self.play_current)
        transport.stop_asked.connect(self.playback.stop)
        transport.seek_asked.connect(self.playback.seek)
        transport.volume_chosen.connect(self.playback.set_volume)
        self.playback.status_changed.connect(self._on_status)
        self.playback.position_changed.connect(transport.show_position)
        transport.show_can_play(False)

    def play(self, path: Path) -> None:
        """Play a sound from its beginning."""
        self._on_current_changed(path)
        self.playback.play(path)

    def play_current(self) -> None:
        """Play the sound that was chosen last, in whichever list."""
        if self._current is not None:
            self.playback.play(self._current)

    def _on_preview_asked(self, sound: PreviewSound) -> None:
        self.play(sound.path)

    def _on_preview_chosen(self, sound: PreviewSound) -> None:
        self._on_current_changed(sound.path)

    def _on_current_changed(self, path: Path) -> None:
        self._current = path
        self._transport.show_can_play(True)

    def _on_status(self, status: PlayerStatus) -> None:
        self._transport.show_status(status)
        self._previews.show_playing(status.path if status.state is PlayerState.PLAYING else None)
        if status.error is not None:
            self._notices.tell(TOPIC, status.error, "warning")
        elif status.state is PlayerState.PLAYING:
            self._notices.forget(TOPIC)
