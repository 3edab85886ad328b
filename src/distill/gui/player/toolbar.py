"""The toolbar of the player: play and stop, loop, position, comparison with the original, output device, volume."""

from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QAction, QMouseEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QSlider,
    QStackedLayout,
    QStyle,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from distill.gui.player.device_menu import DeviceMenu
from distill.gui.player.waveform_position_slider import PositionSlider
from distill.gui.previews.grid_texts import epoch_text
from distill.gui.previews.reconstruction_sources import PreviewSources
from distill.gui.widgets import theme
from distill.gui.widgets.formatting import format_seconds
from distill.gui.widgets.icons import icon, pixmap
from distill.gui.widgets.labels import ElidedLabel
from distill.gui.widgets.plain_text import plain_tip, readable
from distill.playback.player_status import PlayerState, PlayerStatus
from distill.runs.preview_files import PreviewKind, PreviewSound

#: Steps of the position slider for each second of sound.
STEPS_PER_SECOND = 100

#: What an arrow key and a page key move by, as shares of the sound.
STEP_SHARE, PAGE_SHARE = 1 / 50, 1 / 10


class ClickSlider(QSlider):
    """A slider that jumps to the clicked position."""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Jump to the mouse, from where it can be dragged on."""
        if event.button() is Qt.MouseButton.LeftButton and self.width() > 1:
            value = QStyle.sliderValueFromPosition(
                self.minimum(), self.maximum(), round(event.position().x()), self.width() - 1,
                self.isRightToLeft(),
            )  # fmt: skip
            self.setSliderPosition(value)
        super().mousePressEvent(event)


class PlayerToolbar(QFrame):
    """Shows the state of the player and emits the user's requests.

    Play and stop share one position: only the one that has an effect is shown.
    """

    play_requested = Signal()
    stop_requested = Signal()
    seek_requested = Signal(float)  # seconds
    scrubbed = Signal(float)  # seconds, while the position is being dragged
    loop_chosen = Signal(bool)
    compare_requested = Signal()
    volume_chosen = Signal(float)  # linear gain

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAccessibleName(self.tr("Player"))
        self.play = self._button("playButton", self.tr("Play"), self.tr("Play the chosen sound (Space, Ctrl+Return)."))
        self.stop = self._button(
            "stopButton", self.tr("Stop the sound"), self.tr("Stop the sound (Space, Ctrl+Backspace).")
        )
        self.play.clicked.connect(self.play_requested)
        self.stop.clicked.connect(self.stop_requested)
        self.loop_action = self._make_loop_action()
        self.loop = self._button("loopButton", "", "")
        self.loop.setDefaultAction(self.loop_action)
        self.loop.setAccessibleName(self.tr("Loop"))
        self.position = self._make_position()
        self.compare = CompareButtons()
        self.compare.other_requested.connect(self.compare_requested)
        self.device_menu = DeviceMenu(self)
        self.device_menu.refilled.connect(self._on_menu_refilled)
        self.device_menu.aboutToHide.connect(self._on_menu_closed)
        self._is_menu_ours = False  # it is opened by the button, not in the menu bar
        self.device = self._button("deviceButton", self.tr("Output device"), "")
        self.device.clicked.connect(self._on_device_clicked)
        self.volume = self._make_volume()
        self._name, self._time, self._speaker = ElidedLabel(), QLabel(), QLabel()
        self._time.setObjectName("muted")
        self._seconds = 0.0
        self._path: Path | None = None
        self._sources: PreviewSources | None = None
        self._lay_out()
        self.show_status(PlayerStatus())
        self.show_device(None)
        self._draw_icons()

    def show_can_play(self, has_sound: bool) -> None:
        """Enable Play if there is a sound to play."""
        self.play.setEnabled(has_sound)

    def name_previews(self, sources: PreviewSources) -> None:
        """Show with a preview which of the user's sounds it is a copy of."""
        self._sources = sources
        sources.changed.connect(self._show_title)

    @property
    def gain(self) -> float:
        """The linear gain that the volume slider shows.  The ear hears ratios; a square is close to a fader's law."""
        return float((self.volume.value() / 100) ** 2)

    def show_volume(self, gain: float) -> None:
        """Set the volume slider to a linear gain."""
        self.volume.setValue(round(100 * gain**0.5))

    def show_device(self, name: str | None) -> None:
        """Show the output device; None is the system's default."""
        self.device.setToolTip(
            self.tr("You hear sounds through: {0}. Click to choose another output device.").format(
                name or self.tr("the system's default")
            )
        )

    def show_status(self, status: PlayerStatus) -> None:
        """Show the state of the player."""
        is_playing = status.state is PlayerState.PLAYING
        self._show_play_or_stop_button(is_playing)
        self._seconds = status.seconds
        self._show_range(status)
        self.compare.setVisible(status.pair is not None)
        if status.path is not None:
            self._path = status.path
            self._name.setToolTip(plain_tip(str(status.path)))
            self._show_title()
        elif not self._name.text():
            self._name.setText(self.tr("Click a sound to hear it"))
        if not is_playing:
            self.show_position(0.0)

    def show_position(self, seconds: float) -> None:
        """Show the position, unless the user holds the slider."""
        if not self.position.isSliderDown():
            self.position.setValue(round(seconds * STEPS_PER_SECOND))
            self._show_time(seconds)

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icons in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._draw_icons()

    def _make_loop_action(self) -> QAction:
        action = QAction(self.tr("Loop"), self, checkable=True)
        action.setShortcut("L")
        action.setToolTip(self.tr("Repeat the sound without a gap (L)."))
        action.toggled.connect(self.loop_chosen)
        return action

    def _make_position(self) -> PositionSlider:
        slider = PositionSlider()
        slider.setObjectName("positionSlider")
        slider.setAccessibleName(self.tr("Position in the sound"))
        slider.setToolTip(self.tr("Position in the sound. Click to jump, drag to search."))
        slider.sliderMoved.connect(self._on_dragged)
        slider.sliderReleased.connect(self._on_released)
        slider.actionTriggered.connect(self._on_action)
        return slider

    def _make_volume(self) -> ClickSlider:
        slider = ClickSlider(Qt.Orientation.Horizontal)
        slider.setObjectName("volumeSlider")
        slider.setAccessibleName(self.tr("Volume"))
        slider.setToolTip(self.tr("Volume of the player."))
        slider.setRange(0, 100)
        slider.setValue(100)
        slider.setFixedWidth(90)
        slider.valueChanged.connect(self._on_volume)
        return slider

    def _lay_out(self) -> None:
        texts = QVBoxLayout()
        texts.setSpacing(0)
        texts.addStretch(1)
        texts.addWidget(self._name)
        texts.addWidget(self._time)
        texts.addStretch(1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.GAP, theme.HALF, theme.MARGIN, theme.HALF)
        layout.setSpacing(theme.GAP)
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.HALF)
        self._play_stop_buttons = QStackedLayout()
        for button in (self.play, self.stop):
            self._play_stop_buttons.addWidget(button)
        buttons.addLayout(self._play_stop_buttons)
        buttons.addWidget(self.loop)
        layout.addLayout(buttons)
        layout.addLayout(texts, 2)
        layout.addWidget(self.position, 6)
        layout.addWidget(self.compare)
        layout.addWidget(self.device)
        layout.addWidget(self._speaker)
        layout.addWidget(self.volume)

    def _button(self, object_name: str, name: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(object_name)
        button.setAccessibleName(name)
        button.setToolTip(tip)
        button.setIconSize(QSize(20, 20))
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button

    def _show_play_or_stop_button(self, is_playing: bool) -> None:
        """Swap the two buttons and move the focus with them: a disabled button would lose it."""
        if is_playing:
            self.stop.setEnabled(True)
        self._play_stop_buttons.setCurrentWidget(self.stop if is_playing else self.play)
        self.stop.setEnabled(is_playing)

    def _show_title(self) -> None:
        if self._path is not None:
            self._name.setText(readable(self._title(self._path)))

    def _title(self, path: Path) -> str:
        """Return the title of a sound: its file name, or for a preview its source or column, and its epoch."""
        sound = PreviewSound.from_path(path)
        if sound is None:
            return path.name
        source = self._sources.name_of(sound) if self._sources is not None else None
        name = source or (self.tr("Sound {0}") if sound.slot.is_pair else self.tr("New {0}")).format(sound.number + 1)
        if sound.kind is PreviewKind.ORIGINAL:
            return self.tr("{0}, original").format(name)
        return f"{name}, {epoch_text(sound.epoch)}"

    def _show_range(self, status: PlayerStatus) -> None:
        steps = max(1, round(status.seconds * STEPS_PER_SECOND))
        self.position.setEnabled(status.path is not None and status.seconds > 0)
        self.position.setRange(0, steps)
        self.position.setSingleStep(max(1, round(steps * STEP_SHARE)))
        self.position.setPageStep(max(1, round(steps * PAGE_SHARE)))
        self.position.show_peaks(status.peaks)

    def _show_time(self, seconds: float) -> None:
        self._time.setText(f"{format_seconds(seconds)} / {format_seconds(self._seconds)}" if self._seconds else "")
        self._time.setVisible(bool(self._seconds))  # the title is centred vertically while it is alone

    def _on_dragged(self, step: int) -> None:
        self._show_time(step / STEPS_PER_SECOND)
        self.scrubbed.emit(step / STEPS_PER_SECOND)

    def _on_released(self) -> None:
        self.seek_requested.emit(self.position.value() / STEPS_PER_SECOND)

    def _on_action(self, _action: int) -> None:
        if not self.position.isSliderDown():  # keys and wheel; a drag ends in sliderReleased
            self.seek_requested.emit(self.position.sliderPosition() / STEPS_PER_SECOND)

    def _on_volume(self) -> None:
        self.volume_chosen.emit(self.gain)

    def _on_device_clicked(self) -> None:
        self._is_menu_ours = True
        self.device_menu.popup(self._menu_position())

    def _on_menu_closed(self) -> None:
        self._is_menu_ours = False

    def _on_menu_refilled(self) -> None:
        if not self.device_menu.isVisible():
            return
        self.device_menu.adjustSize()
        if self._is_menu_ours:
            self.device_menu.move(self._menu_position())

    def _menu_position(self) -> QPoint:
        """Return where the menu opens: upwards, because the toolbar is at the bottom of the window."""
        height = self.device_menu.sizeHint().height()
        return self.device.mapToGlobal(QPoint(0, 0)) - QPoint(0, height)

    def _draw_icons(self) -> None:
        current = theme.colors()
        self.play.setIcon(icon("play", current.accent))
        self.stop.setIcon(icon("stop", current.accent))
        self.loop_action.setIcon(icon("loop", current.text))
        self.device.setIcon(icon("loudspeaker", current.text))
        self._speaker.setPixmap(pixmap("volume", current.muted, scale=self.devicePixelRatioF()))


class CompareButtons(QWidget):
    """Two buttons, of which one is down.  They show what is heard; a click only asks for the other one."""

    other_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Compare"))
        self.original = self._button("compareOriginal", self.tr("Original"), self.tr("Hear your own sound"))
        self.model = self._button("compareModel", self.tr("Model"), self.tr("Hear what the model makes of it"))
        self._hears_original = False
        group = QButtonGroup(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.HALF)
        for button in (self.original, self.model):
            group.addButton(button)
            layout.addWidget(button)
            button.clicked.connect(self._on_clicked)

    def show_heard(self, hears_original: bool) -> None:
        """Show which one is heard."""
        self._hears_original = hears_original
        (self.original if hears_original else self.model).setChecked(True)

    def _button(self, object_name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(object_name)
        button.setText(text)
        button.setAccessibleName(text)
        button.setToolTip(self.tr("{0}, at the same position and as loud as the other one (B switches).").format(tip))
        button.setProperty("chip", True)
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button

    def _on_clicked(self) -> None:
        wants_original = self.original.isChecked()
        if wants_original != self._hears_original:
            self.show_heard(self._hears_original)  # until the player says otherwise
            self.other_requested.emit()
