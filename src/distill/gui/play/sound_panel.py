"""The current sound of the Play page: its waveform, its sliders, and what can be made of it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QWidget,
)

from distill.gui.play.marked_waveform import MarkedWave
from distill.gui.play.sound_sliders import MOST_COLUMNS, NeutralSlider, SoundSliders
from distill.gui.widgets import theme
from distill.gui.widgets.buttons import ActionButton
from distill.gui.widgets.input_fields import NumberField
from distill.gui.widgets.labels import ElidedLabel, FewLinesLabel
from distill.gui.widgets.panel import HEADER_HEIGHT, Panel
from distill.gui.widgets.plain_text import plain_tip

#: Length of a sound along a path and of what is added to one, in seconds.
_SHORTEST_SECONDS, _LONGEST_SECONDS, _FIRST_SECONDS = 1.0, 30.0, 4.0

#: Distance of variations at first, in percent.
_FIRST_DISTANCE = 35


#: Height in which the sliders scroll where there is no room for more.
_LEAST_SLIDERS_HEIGHT = 46

#: Lines that the verdict on a sound has room for.
_VERDICT_LINES = 2


class SoundPanel(Panel):
    """Shows the current sound and emits what is wanted of it."""

    saving_requested = Signal()
    variations_requested = Signal(float)  # distance, 0 to 1
    #: Morph into the sound that is chosen next; False: no longer.
    morph_toggled = Signal(bool)
    extension_requested = Signal(float)  # seconds
    repaint_requested = Signal(float, float)  # seconds
    #: Switch between the sound and the nearest own one.
    comparison_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.title.setText(self.tr("Sound"))
        self.setAccessibleName(self.tr("Sound"))
        self.detail.hide()
        self.status = ElidedLabel()
        self.status.setObjectName("playStatus")
        self.status.setMinimumHeight(theme.roomy(HEADER_HEIGHT))  # as the title, whose place it takes
        self.status.hide()
        self.sliders, self.wave = SoundSliders(), MarkedWave()
        self.sliders.tab_after = self.wave
        self.slider_hint = QLabel(self.tr("This model has no sliders: none could be measured to work."))
        self.slider_hint.setObjectName("muted")
        self.slider_hint.setWordWrap(True)
        self.verdict = FewLinesLabel(_VERDICT_LINES)
        self.verdict.setObjectName("verdictLabel")
        self.verdict.show_note(
            self.tr(
                "The sound was compared with all of your sounds. Its name says something else: near which of them it "
                "was generated on the map."
            )
        )
        self._make_fields()
        self._make_buttons()
        self._lay_out()
        self.wave.mark_changed.connect(self._show_enabled)
        self._has_sound = False
        self.show_has_sound(False)

    def showEvent(self, event: QShowEvent) -> None:
        """Measure fields and buttons anew: the style sheet reaches them with the first show."""
        super().showEvent(event)
        for widget in (self.length, self.vary, self.morph, self.extend, self.repaint_mark):
            widget.setMinimumHeight(widget.minimumSizeHint().height())

    def show_has_sound(self, has_sound: bool) -> None:
        """Enable what needs a sound."""
        self._has_sound = has_sound
        self.wave.show_has_sound(has_sound)
        self._show_enabled()

    def show_status(self, text: str) -> None:
        """Show the name of the sound, or what is being done, in place of the title."""
        self.status.setText(text)
        self.status.setToolTip(plain_tip(text) if text else "")
        self.status.setVisible(bool(text))
        self.title.setVisible(not text)

    def show_verdict(self, text: str, can_compare: bool) -> None:
        """Show how near the sound is to the user's own; with ``can_compare`` the nearest one can be heard.

        The room is kept while there is nothing to say: what is below would move under the pointer.
        """
        self.verdict.setText(text)
        self.compare.setVisible(can_compare)

    def _show_enabled(self) -> None:
        for widget in (self.save, self.vary, self.strength, self.morph, self.extend):
            widget.setEnabled(self._has_sound)
        self.repaint_mark.setEnabled(self._has_sound and self.wave.mark is not None)

    def _make_fields(self) -> None:
        self.length = NumberField()
        self.length.setObjectName("lengthSpin")
        self.length.setAccessibleName(self.tr("Length of a path, or of what is added"))
        self.length.setToolTip(self.tr("Length of the sound along a path that you draw, and of what Extend adds."))
        self.length.setRange(_SHORTEST_SECONDS, _LONGEST_SECONDS)
        self.length.setSingleStep(0.5)
        self.length.setDecimals(1)
        self.length.setSuffix(self.tr(" s"))
        self.length.setValue(_FIRST_SECONDS)
        self.length.lineEdit().setTextMargins(theme.HALF, 0, 0, 0)  # the style sheet's padding does not reach it
        self.strength = NeutralSlider(_FIRST_DISTANCE)
        self.strength.setObjectName("strengthSlider")
        self.strength.setRange(5, 100)
        self.strength.setValue(_FIRST_DISTANCE)
        self.strength.setAccessibleName(self.tr("Distance of the variations"))
        strength_tip = self.tr("How far variations lie from the sound: left close, right unrelated.")
        self.strength.setToolTip(f"{strength_tip} {self.tr('A double click or Delete sets it back.')}")

    def _make_buttons(self) -> None:
        self.vary = self._button("varyButton", self.tr("Vary"), self.tr("8 variations of the sound, on the pads."))
        self.vary.clicked.connect(lambda: self.variations_requested.emit(self.strength.value() / 100))
        self.morph = self._button(
            "morphButton",
            self.tr("Morph"),
            self.tr("8 steps to the sound that you choose next, on the pads."),
        )
        self.morph.setCheckable(True)
        self.morph.toggled.connect(self.morph_toggled)
        self.extend = self._button("extendButton", self.tr("Extend"), self.tr("Continue the sound by this length."))
        self.extend.clicked.connect(lambda: self.extension_requested.emit(self.length.value()))
        self.repaint_mark = self._button(
            "repaintButton", self.tr("Repaint"), self.tr("Generate the marked part of the waveform anew.")
        )
        self.repaint_mark.clicked.connect(self._on_repaint_clicked)
        self.save = self._button("saveSoundButton", self.tr("Save…"), self.tr("Save the current sound as a WAV file."))
        self.save.clicked.connect(self.saving_requested)
        self.compare = self._button(
            "compareNearestButton", self.tr("A/B"), self.tr("Switch between this sound and your nearest own one (B)."),
            QPushButton(),
        )  # fmt: skip
        self.compare.clicked.connect(self.comparison_requested)
        policy = self.compare.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.compare.setSizePolicy(policy)
        self.show_verdict("", False)

    def _lay_out(self) -> None:
        verdict, rows = QHBoxLayout(), QGridLayout()
        verdict.addWidget(self.verdict, 1)
        verdict.addWidget(self.compare)
        rows.setHorizontalSpacing(theme.GAP)
        rows.setVerticalSpacing(theme.HALF)
        rows.setColumnStretch(1, 1)
        for row, widgets in enumerate(
            (
                (QLabel(self.tr("Distance")), self.strength, self.vary, self.morph),
                (QLabel(self.tr("Duration")), self.length, self.extend, self.repaint_mark),
            )
        ):
            for column, widget in enumerate(widgets):
                rows.addWidget(widget, row, column)
        self.header.setStretch(1, 0)
        self.header.insertWidget(1, self.status, 1)
        self.header.addWidget(self.save)
        self.body.addWidget(self.wave)
        self.body.addLayout(verdict)
        self.body.addWidget(self._slider_area())
        self.body.addWidget(self.slider_hint)
        self.body.addLayout(rows)

    def _slider_area(self) -> QScrollArea:
        """Put the sliders into a column that scrolls where a low window has no room for all of them."""
        slider_scroll = QScrollArea()
        slider_scroll.setObjectName("settingArea")
        self.sliders.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        slider_scroll.setWidget(self.sliders)
        slider_scroll.setWidgetResizable(True)
        slider_scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        slider_scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        slider_scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._slider_scroll = slider_scroll
        return slider_scroll

    def fit_sliders(self, room: int) -> None:
        """Show the sliders below each other, in two columns, or scrolled, as a panel of this height has room for."""
        height_of_others = self.minimumSizeHint().height() - self._slider_scroll.minimumHeight()
        columns = 1 if height_of_others + self.sliders.height_in(1) <= room else MOST_COLUMNS
        self.sliders.set_columns(columns)
        sliders_height = self.sliders.height_in(columns)
        self._slider_scroll.setFixedHeight(
            max(min(sliders_height, room - height_of_others), min(sliders_height, _LEAST_SLIDERS_HEIGHT))
        )
        self._slider_scroll.setVisible(sliders_height > 0)

    def _button(self, object_name: str, text: str, tip: str, plain: QPushButton | None = None) -> QPushButton:
        """Make a button that starts work once at a double click, or set up a plain one, whose every click counts."""
        button = plain or ActionButton()
        button.setText(text)
        button.setObjectName(object_name)
        button.setProperty("small", True)
        button.setToolTip(tip)
        return button

    def _on_repaint_clicked(self) -> None:
        if self.wave.mark is not None:
            self.repaint_requested.emit(*(share * self.wave.seconds for share in self.wave.mark))
