"""The transport: play, stop, where in the sound, how loud."""

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QSlider, QStyle, QToolButton, QWidget

from distill.gui import theme
from distill.gui.icons import icon, pixmap
from distill.gui.sound_table import format_seconds
from distill.playback.player import PlayerState, PlayerStatus

#: Steps of the position slider for each second of sound.
STEPS_PER_SECOND = 100


class ClickSlider(QSlider):
    """A slider that goes to where it is clicked."""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Jump to the mouse, then let it drag on from there."""
        if event.button() is Qt.MouseButton.LeftButton and self.width() > 1:
            value = QStyle.sliderValueFromPosition(
                self.minimum(), self.maximum(), round(event.position().x()), self.width() - 1
            )
            self.setSliderPosition(value)
        super().mousePressEvent(event)


class Transport(QFrame):
    """Shows what the player does and says what the user wants of it."""

    play_asked = Signal()
    stop_asked = Signal()
    seek_asked = Signal(float)  # seconds
    volume_chosen = Signal(float)  # linear gain

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAccessibleName(self.tr("Player"))
        self.play = self._button("playButton", self.tr("Play"), self.tr("Play the chosen sound (Ctrl+Return)."))
        self.stop = self._button("stopButton", self.tr("Stop the sound"), self.tr("Stop the sound (Ctrl+Backspace)."))
        self.play.clicked.connect(self.play_asked)
        self.stop.clicked.connect(self.stop_asked)
        self.position = ClickSlider(Qt.Orientation.Horizontal)
        self.position.setObjectName("positionSlider")
        self.position.setAccessibleName(self.tr("Position in the sound"))
        self.position.setToolTip(self.tr("Where in the sound you are; click to go elsewhere."))
        self.position.sliderReleased.connect(self._on_released)
        self.position.actionTriggered.connect(self._on_action)
        self.volume = ClickSlider(Qt.Orientation.Horizontal)
        self.volume.setObjectName("volumeSlider")
        self.volume.setAccessibleName(self.tr("Volume"))
        self.volume.setToolTip(self.tr("How loud sounds are played here."))
        self.volume.setRange(0, 100)
        self.volume.setValue(100)
        self.volume.setFixedWidth(100)
        self.volume.valueChanged.connect(self._on_volume)
        self._name, self._time, self._speaker = QLabel(), QLabel(), QLabel()
        self._name.setMinimumWidth(60)
        self._name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._time.setObjectName("muted")
        self._seconds = 0.0
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.GAP, theme.HALF, theme.MARGIN, theme.HALF)
        layout.setSpacing(theme.GAP)
        layout.addWidget(self.play)
        layout.addWidget(self.stop)
        layout.addWidget(self._name, 2)
        layout.addWidget(self.position, 3)
        layout.addWidget(self._time)
        layout.addSpacing(theme.GAP)
        layout.addWidget(self._speaker)
        layout.addWidget(self.volume)
        self.show_status(PlayerStatus())
        self._draw_icons()

    def show_can_play(self, has_sound: bool) -> None:
        """Say whether there is something that Play would play."""
        self.play.setEnabled(has_sound)

    def show_volume(self, gain: float) -> None:
        """Show a linear gain, and take it as chosen."""
        self.volume.setValue(round(100 * gain**0.5))
        self.volume_chosen.emit(gain)

    def show_status(self, status: PlayerStatus) -> None:
        """Show what the player does."""
        is_playing = status.state is PlayerState.PLAYING
        self.stop.setEnabled(is_playing)
        self._seconds = status.seconds
        self.position.setEnabled(status.path is not None and status.seconds > 0)
        self.position.setRange(0, max(1, round(status.seconds * STEPS_PER_SECOND)))
        if status.path is not None:
            self._name.setText(status.path.name)
            self._name.setToolTip(str(status.path))
        elif not self._name.text():
            self._name.setText(self.tr("Click a sound to hear it"))
        self.show_position(0.0)

    def show_position(self, seconds: float) -> None:
        """Show where the player is, unless the user holds the slider."""
        if not self.position.isSliderDown():
            self.position.setValue(round(seconds * STEPS_PER_SECOND))
            self._time.setText(f"{format_seconds(seconds)} / {format_seconds(self._seconds)}" if self._seconds else "")

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icons in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._draw_icons()

    def _button(self, object_name: str, name: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(object_name)
        button.setAccessibleName(name)
        button.setToolTip(tip)
        button.setIconSize(QSize(20, 20))
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button

    def _on_released(self) -> None:
        self.seek_asked.emit(self.position.value() / STEPS_PER_SECOND)

    def _on_action(self, _action: int) -> None:
        if not self.position.isSliderDown():  # keys and wheel; a drag ends in sliderReleased
            self.seek_asked.emit(self.position.sliderPosition() / STEPS_PER_SECOND)

    def _on_volume(self, value: int) -> None:
        self.volume_chosen.emit((value / 100) ** 2)  # the ear hears ratios: a square is near enough to a fader's law

    def _draw_icons(self) -> None:
        current = theme.colors()
        self.play.setIcon(icon("play", current.accent))
        self.stop.setIcon(icon("stop", current.text))
        self._speaker.setPixmap(pixmap("volume", current.muted, scale=self.devicePixelRatioF()))
