"""The Play page: the map in the middle, and at its right the sliders, the near sounds, and the pads."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QModelIndex, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QListWidgetItem,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from distill.generation.map.map_chunks import ShownMap
from distill.gui.play.map_view import MapView
from distill.gui.play.midi_panel import MidiPanel
from distill.gui.play.pads.pad_grid import PadGrid, PadPanel, scan_code_of
from distill.gui.play.sound_lists import LISTED_FILE_ROLE, HistoryList, SoundList
from distill.gui.play.sound_panel import SoundPanel
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.empty_state import EmptyState
from distill.gui.widgets.focus import give_focus, leave_tab_key_to_bar
from distill.gui.widgets.panel import Panel
from distill.gui.widgets.plain_text import plain_tip, readable
from distill.library.model_entry import ModelEntry

#: Width of the right column at a first start, and the smallest ones, in device-independent pixels.
_COLUMNS, _SMALLEST = (760, 330), (320, 270)
_EMPTY, _MAP = 0, 1
#: Characters of a model's name that there is room for.
_MODEL_CHARACTERS = 12


class PlayPage(QWidget):
    """Lays out the widgets that play a model; a presenter makes the sound."""

    #: The page is shown: its model may have changed meanwhile.
    appeared = Signal()
    disappeared = Signal()
    filling_requested = Signal()
    kit_requested = Signal()
    stop_requested = Signal()
    #: Play another model.
    model_requested = Signal(object)  # Path

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("playPage")
        self.setAccessibleName(self.tr("Play"))
        self.map, self.pads, self.sound = MapView(), PadGrid(thumbnails), SoundPanel()
        self.sliders, self.status = self.sound.sliders, self.sound.status
        self.history, self.near, self.midi = HistoryList(thumbnails), SoundList(thumbnails), MidiPanel()
        self._busy = self._name = ""
        self._is_walking = False  # through the near sounds, whose list stays meanwhile
        self._model: Path | None = None
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setHandleWidth(theme.GAP)
        splitter.setChildrenCollapsible(False)
        for number, widget in enumerate((self._map_panel(), self._side())):
            widget.setMinimumWidth(theme.roomy(_SMALLEST[number]))
            splitter.addWidget(widget)
            splitter.setStretchFactor(number, 1 - number)
        splitter.setSizes(list(map(theme.roomy, _COLUMNS)))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(splitter)
        self.show_map(None, "")
        self.map.cursor_moved.connect(self._show_near)
        self.map.selected_changed.connect(self._show_selected)
        self.colors.currentIndexChanged.connect(self._color)

    @property
    def entrance(self) -> QWidget:
        """What takes the focus when the page is opened; see `give_focus`."""
        return self.map if self.map.shown is not None else self.tabs.tabBar()

    def show_map(self, shown: ShownMap | None, title: str, reason: str = "") -> None:
        """Show the map of a model, or the reason why there is none."""
        is_waited_for = self.map.shown is None and self.tabs.tabBar().hasFocus()  # the page was opened before it came
        self.map_panel.detail.setText(title)
        self.map.show_map(shown)
        self.sliders.show_sliders(shown.sliders if shown else (), shown.most if shown else 1.0)
        self.sound.wave.show_hint(self.tr("Click in the map to hear a sound") if shown is not None else "")
        self.sound.slider_hint.setVisible(shown is not None and not shown.sliders)
        self.empty.show_text(
            self.tr("No map"),
            reason or self.tr("Choose a model on the Models page, or train one, to play between its sounds."),
        )
        self.hint.setVisible(shown is not None)
        self.stack.setCurrentIndex(_MAP if shown is not None else _EMPTY)
        for widget in (self.pad_panel.fill_pads, self.colors, self.hover):
            widget.setEnabled(shown is not None)
        self.near.setEnabled(shown is not None)
        self._fit_sliders()
        self._color()
        self._show_near()
        if is_waited_for:
            give_focus(self)

    def show_models(self, entries: Sequence[ModelEntry]) -> None:
        """Offer the models that can be used."""
        with QSignalBlocker(self.models):
            self.models.clear()
            for entry in entries:
                if entry.problem is None:
                    self.models.addItem(readable(entry.shown_name), str(entry.path))
        self.show_model(self._model)
        self.models.setVisible(self.models.count() > 0)
        self.map_panel.detail.setHidden(self.models.count() > 0)

    def show_model(self, path: Path | None) -> None:
        """Show which model is played."""
        self._model = path
        self.models.setCurrentIndex(-1 if path is None else self.models.findData(str(path)))

    def show_opening(self, title: str) -> None:
        """Show that the map of a model is being opened."""
        self.show_map(None, title)
        self.empty.show_text(self.tr("Opening the map…"), "")

    @property
    def busy(self) -> str:
        """What is being computed; empty for nothing."""
        return self._busy

    def show_busy(self, text: str) -> None:
        """Show what is being computed; an empty text for nothing."""
        self._busy = text
        self.sound.show_status(text or self._name)

    def show_name(self, name: str) -> None:
        """Show the name of the current sound while nothing is computed."""
        self._name = readable(name)
        self.show_busy(self._busy)

    def show_pads(self) -> None:
        """Show the pads among the tabs."""
        self.tabs.setCurrentIndex(0)

    def showEvent(self, event: QShowEvent) -> None:
        """Report that the page is seen."""
        super().showEvent(event)
        self._fit_sliders()  # the style sheet reaches the fields with the first show
        self.appeared.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Play the pad of a key, or stop with Escape what is being computed."""
        if event.key() == Qt.Key.Key_Escape and self._busy:
            self.stop_requested.emit()
            return
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if plain and not event.isAutoRepeat() and self.pads.press_key(event.text(), scan_code_of(event)):
            return
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Release the pad of a key."""
        if event.isAutoRepeat() or not self.pads.release_key(event.text(), scan_code_of(event)):
            super().keyReleaseEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the sliders what the tabs below them leave."""
        super().resizeEvent(event)
        self._fit_sliders()

    def hideEvent(self, event: QHideEvent) -> None:
        """Report that the page is not seen any more."""
        super().hideEvent(event)
        self.pads.release_keys()
        self.disappeared.emit()

    def event(self, event: QEvent) -> bool:
        """Release the pads whose keys are down when another window gets the keyboard."""
        if event.type() is QEvent.Type.WindowDeactivate:
            self.pads.release_keys()
        return super().event(event)

    def _fit_sliders(self) -> None:
        self.sound.fit_sliders(self.height() - theme.GAP - self.tabs.minimumSizeHint().height())

    def _map_panel(self) -> QWidget:
        self.map_panel = Panel(self.tr("Map"))
        self.colors = QComboBox()
        self.colors.setObjectName("mapColorCombo")
        self.colors.setAccessibleName(self.tr("Colour of the dots"))
        self.colors.setToolTip(self.tr("What the colour of the dots shows: from blue, little, to orange, much."))
        for text, key in (
            (self.tr("Brightness"), "brightness"),
            (self.tr("Loudness"), "loudness"),
            (self.tr("Length"), "seconds"),
        ):
            self.colors.addItem(self.tr("Colour: {0}").format(text.lower()), key)
        self.hover = QCheckBox(self.tr("Play under the pointer"))
        self.hover.setObjectName("hoverPlayCheck")
        self.hover.setToolTip(self.tr("Play your own sounds as the pointer passes their dots."))
        self.models = QComboBox()
        self.models.setObjectName("playModelCombo")
        self.models.setAccessibleName(self.tr("Model to play"))
        self.models.setToolTip(self.tr("The model that is played. Each has pads of its own."))
        self.models.setMinimumContentsLength(_MODEL_CHARACTERS)
        self.models.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.models.hide()
        self.models.activated.connect(self._on_model_chosen)
        self.map_panel.header.insertWidget(1, self.colors)
        self.map_panel.header.insertWidget(2, self.hover)
        self.map_panel.header.addWidget(self.models)
        self.stack = QStackedWidget()
        self.empty = EmptyState("curve", self.tr("No map"), "")
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self.map)
        self.hint = QLabel(
            self.tr(
                "Click a dot to hear your sound, anywhere else for a new one. Drag to morph. "
                "Keys: arrows and Enter, N for the next dot, F1 for all."
            )
        )
        self.hint.setObjectName("muted")
        self.hint.setWordWrap(True)
        self.map_panel.body.addWidget(self.stack, 1)
        self.map_panel.body.addWidget(self.hint)
        return self.map_panel

    def _side(self) -> QWidget:
        right_column = QWidget()
        column = QVBoxLayout(right_column)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GAP)
        column.addWidget(self.sound)
        self.tabs = QTabWidget()
        self.tabs.setObjectName("playTabs")
        self.tabs.tabBar().setAccessibleName(self.tr("Pads, sounds, MIDI"))
        leave_tab_key_to_bar(self.tabs)
        self.tabs.setDocumentMode(True)
        scroll = QScrollArea()
        scroll.setObjectName("settingArea")
        scroll.setWidget(self.midi)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._prepare_near()
        self.pad_panel = PadPanel(self.pads)
        self.pad_panel.filling_requested.connect(self.filling_requested)
        self.pad_panel.kit_requested.connect(self.kit_requested)
        for panel, title in (
            (self.pad_panel, self.tr("Pads")),
            (_card(self.near, self.tr("Near the cursor")), self.tr("Nearby")),
            (_card(self.history, self.tr("History")), self.tr("History")),
            (_card(scroll, self.tr("MIDI")), self.tr("MIDI")),
        ):
            self.tabs.addTab(panel, title)
        self.tabs.setTabToolTip(0, self.tr("Sounds that you play with a click or a key."))
        self.tabs.setTabToolTip(1, self.tr("Your own sounds around the cursor of the map."))
        self.tabs.setTabToolTip(
            2, self.tr("The sounds generated on this page, the newest first. The Models page keeps them all.")
        )
        self.tabs.setTabToolTip(3, self.tr("Keys, MIDI and OSC that play the pads, the map and the sliders."))
        column.addWidget(self.tabs, 1)
        return right_column

    def _prepare_near(self) -> None:
        self.near.setObjectName("nearList")
        self.near.setAccessibleName(self.tr("Your sounds near the cursor"))
        self.near.setToolTip(self.tr("Your own sounds around the cursor, the nearest first. Click one to hear it."))
        self.near.hearing.asked.connect(self._on_near_asked)

    def _on_model_chosen(self, row: int) -> None:
        self.model_requested.emit(Path(self.models.itemData(row)))

    def _color(self) -> None:
        if self.map.shown is not None:
            key = self.colors.currentData()
            ends = {
                "brightness": (self.tr("dark"), self.tr("bright")),
                "loudness": (self.tr("quiet"), self.tr("loud")),
                "seconds": (self.tr("short"), self.tr("long")),
            }[key]
            self.map.color_by(getattr(self.map.shown, key), ends)

    def _show_selected(self) -> None:
        """Say how many sounds are selected, and list them instead of the near ones."""
        self.pad_panel.show_selected(len(self.map.selected))
        self._show_near()

    def _show_near(self) -> None:
        if self._is_walking:
            return
        shown_map = self.map.shown
        self.near.clear()
        rows = self.map.selected or (
            shown_map.nearest_chunks(self.map.cursor_position) if shown_map is not None else []
        )
        for row in rows:
            assert shown_map is not None
            item = QListWidgetItem(shown_map.names[shown_map.sounds[row]])
            item.setData(Qt.ItemDataRole.UserRole, row)
            item.setData(LISTED_FILE_ROLE, shown_map.files.get(shown_map.sounds[row]))
            item.setToolTip(plain_tip(item.text()))
            self.near.addItem(item)

    def _on_near_asked(self, index: QModelIndex) -> None:
        self._is_walking = True
        self.map.choose_dot(int(index.data(Qt.ItemDataRole.UserRole)))
        self._is_walking = False


def _card(content: QWidget, title: str) -> Panel:
    """Return a panel with one widget and no header: its tab has the title."""
    panel = Panel(title)
    panel.title.hide()
    panel.detail.hide()
    panel.body.addWidget(content, 1)
    return panel
