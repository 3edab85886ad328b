"""Between the player, the transport, and the lists that sounds are chosen from."""

from pathlib import Path

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QWidget

from distill.gui.player.controller import PlayerController
from distill.gui.player.keys import PlayerKeys
from distill.gui.player.toolbar import PlayerToolbar
from distill.gui.previews.panel import PreviewPanel
from distill.gui.sounds.panel import SoundsPanel
from distill.gui.widgets.notices import NoticeBar
from distill.gui.widgets.panel import WindowPart
from distill.playback.devices import OutputDevice
from distill.playback.player import Player, PlayerState, PlayerStatus
from distill.runs.preview_sound import PreviewSound
from distill.settings import WindowSettings

#: Topics of the notices about the player, and about the device that it plays through.
TOPIC, DEVICE_TOPIC = "playback", "output device"


class PlayerPresenter(QObject, WindowPart):
    """Plays what is clicked, and shows what is heard."""

    def __init__(
        self,
        player: Player | None,
        transport: PlayerToolbar,
        browser: SoundsPanel,
        previews: PreviewPanel,
        notices: NoticeBar,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._transport, self._browser, self._previews, self._notices = transport, browser, previews, notices
        self.playback = PlayerController(player, self)
        self._current: Path | None = None
        browser.audition_requested.connect(self.play)
        browser.stop_requested.connect(self.playback.stop)
        browser.current_changed.connect(self._on_current_changed)
        previews.playing_requested.connect(self._on_preview_requested)
        previews.current_changed.connect(self._on_preview_chosen)
        previews.comparing_requested.connect(self._on_comparing_requested)
        transport.play_requested.connect(self.play_current)
        transport.stop_requested.connect(self.playback.stop)
        transport.seek_requested.connect(self.playback.seek)
        transport.scrubbed.connect(self.playback.scrub)
        transport.loop_chosen.connect(self.playback.set_looping)
        transport.compare_requested.connect(self.playback.toggle_compare)
        transport.volume_chosen.connect(self.playback.set_volume)
        transport.device_menu.device_chosen.connect(self._on_device_chosen)
        transport.device_menu.look_requested.connect(self.playback.look_for_devices)
        self.playback.devices_found.connect(transport.device_menu.show_devices)
        self.playback.status_changed.connect(self._on_status)
        self.playback.position_changed.connect(transport.show_position)
        transport.show_can_play(False)
        self._keys = PlayerKeys(
            parent, {Qt.Key.Key_Space: self.play_or_stop, Qt.Key.Key_B: self.playback.toggle_compare}
        )

    def play(self, path: Path) -> None:
        """Play a sound from its beginning."""
        self._on_current_changed(path)
        self.playback.play(path)

    def play_current(self) -> None:
        """Play the sound that was chosen last, in whichever list."""
        if self._current is None:
            return
        if self._current in (self.playback.status.pair or ()):
            self.playback.play_again()
        else:
            self.playback.play(self._current)

    def play_or_stop(self) -> None:
        """Play the sound that was chosen last, or be silent when one is heard."""
        if self.playback.status.state is PlayerState.PLAYING:
            self.playback.stop()
        else:
            self.play_current()

    def restore(self, settings: WindowSettings) -> None:
        """Use the volume and the output device of the last session."""
        self._transport.show_volume(settings.volume)
        if settings.output_device:
            device = OutputDevice(settings.output_device, settings.output_host_api)
            self._transport.device_menu.show_chosen(device)
            self._on_device_chosen(device)

    def save(self, settings: WindowSettings) -> None:
        """Keep volume and output device."""
        device = self._transport.device_menu.chosen
        settings.volume = self.playback.player.volume
        settings.output_device = device.name if device is not None else ""
        settings.output_host_api = device.host_api if device is not None else ""

    def close(self) -> None:
        """End the player's thread."""
        self.playback.close()

    def _on_device_chosen(self, device: OutputDevice | None) -> None:
        self._notices.forget(DEVICE_TOPIC)
        self._transport.show_device(device.name if device is not None else None)
        self.playback.choose_device(device)

    def _on_preview_requested(self, sound: PreviewSound) -> None:
        self.play(sound.path)

    def _on_comparing_requested(self, sound: PreviewSound, original: PreviewSound) -> None:
        """Let the other one of the two be heard, where the first one is; in silence, begin with the model's."""
        status, pair = self.playback.status, (sound.path, original.path)
        if status.pair == pair:
            self.playback.toggle_compare()
            return
        self._on_current_changed(sound.path)
        self.playback.compare(*pair)
        if status.state is PlayerState.PLAYING and status.path == sound.path:
            self.playback.toggle_compare()

    def _on_preview_chosen(self, sound: PreviewSound) -> None:
        self._on_current_changed(sound.path)

    def _on_current_changed(self, path: Path) -> None:
        self._current = path
        self._transport.show_can_play(True)

    def _on_status(self, status: PlayerStatus) -> None:
        self._transport.show_status(status)
        heard = status.path if status.state is PlayerState.PLAYING else None
        self._previews.show_playing(heard, status.pair)
        self._browser.view.show_heard(heard)
        if status.pair is not None:
            self._transport.compare.show_heard(status.path == status.pair[1])
        if status.note is not None:
            self._notices.notify(DEVICE_TOPIC, status.note, "warning")
        elif status.state is PlayerState.PLAYING:
            self._notices.forget(DEVICE_TOPIC)
        if status.error is not None:
            self._notices.notify(TOPIC, status.error, "warning")
        elif status.state is PlayerState.PLAYING:
            self._notices.forget(TOPIC)
