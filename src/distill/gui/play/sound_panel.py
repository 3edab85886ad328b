"""The current sound of the Play page: its waveform, its sliders, and what can be made of it."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QWidget,
)

from distill.gui.play.sliders import MOST_COLUMNS, NeutralSlider, SoundSliders
from distill.gui.widgets import theme
from distill.gui.widgets.buttons import ActionButton
from distill.gui.widgets.input_fields import NumberField
from distill.gui.widgets.labels import ElidedLabel, FewLinesLabel
from distill.gui.widgets.panel import HEADER_HEIGHT, Panel
from distill.gui.widgets.plain_text import plain_tip
from distill.gui.widgets.waveform import draw_waveform

#: Length of a sound along a path and of what is added to one, in seconds.
_SHORTEST, _LONGEST, _DEFAULT = 1.0, 30.0, 4.0

#: Distance of variations at first, in percent.
_DISTANCE = 35

#: Share of the sound that an arrow key moves the end of the mark by.
_KEY_STEP = 0.02

#: Height in which the sliders scroll where there is no room for more.
_FEWEST_PIXELS = 46

#: Lines that the verdict on a sound has room for.
_VERDICT_LINES = 2

#: Radius of the corners of the waveform, in device-independent pixels.
_RADIUS = 6


class MarkedWave(QWidget):
    """Shows a waveform, of which a part can be marked.

    Drag to mark; the arrow keys move the beginning of the mark, and with Shift its end; Esc removes it.
    """

    mark_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("soundWave")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Current sound"))
        self.setToolTip(self.tr("Drag over a part of the sound to generate that part anew. Keys: arrows, Shift, Esc."))
        self.mark: tuple[float, float] | None = None
        self.seconds = 0.0
        self._peaks: NDArray[np.float32] | None = None
        self._pressed: float | None = None
        self._hint, self.has_sound = "", False

    def sizeHint(self) -> QSize:
        """As high as the player's waveform, nearly."""
        return QSize(200, 36)

    def show_sound(self, peaks: NDArray[np.float32] | None, seconds: float) -> None:
        """Show a sound, ``[n, 2]``, without a mark."""
        self._peaks, self.seconds = peaks, seconds
        self._set_mark(None)

    def show_hint(self, text: str) -> None:
        """Show how to get a sound while there is none."""
        self._hint = text
        self.update()

    def show_has_sound(self, has_sound: bool) -> None:
        """Show the hint, or leave the room to the sound."""
        self.has_sound = has_sound
        self.update()

    def _set_mark(self, mark: tuple[float, float] | None) -> None:
        self.mark = mark
        text = self.tr("Nothing is marked.")
        if mark is not None:
            text = self.tr("Marked from {0:.2f} to {1:.2f} s.").format(*(share * self.seconds for share in mark))
        self.setAccessibleDescription(text)
        self.mark_changed.emit()
        self.update()

    def _share(self, event: QMouseEvent) -> float:
        return min(max(event.position().x() / max(1, self.width()), 0.0), 1.0)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a mark."""
        if event.button() is Qt.MouseButton.LeftButton and self._peaks is not None:
            self._pressed = self._share(event)
            self._set_mark(None)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Mark from the press to here."""
        if self._pressed is not None:
            low, high = sorted((self._pressed, self._share(event)))
            self._set_mark((low, high) if high - low > 0.01 else None)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the mark."""
        self._pressed = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the ends of the mark."""
        steps = {Qt.Key.Key_Left: -_KEY_STEP, Qt.Key.Key_Right: _KEY_STEP}
        step = steps.get(Qt.Key(event.key()))
        if event.key() == Qt.Key.Key_Escape and self.mark is not None:
            self._set_mark(None)
        elif step is None or self._peaks is None:
            super().keyPressEvent(event)
        else:
            low, high = self.mark or (0.25, 0.5)
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                high = min(max(high + step, low + _KEY_STEP), 1.0)
            else:
                low = min(max(low + step, 0.0), high - _KEY_STEP)
            self._set_mark((low, high))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the mark and the waveform."""
        colors, painter = theme.colors(), QPainter(self)
        area = QRectF(self.rect())
        outline = QPainterPath()
        outline.addRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS, _RADIUS)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.save()
        painter.setClipPath(outline)
        painter.fillRect(area, QColor(colors.window))
        if self.mark is not None:
            low, high = (share * self.width() for share in self.mark)
            painter.fillRect(QRectF(low, 0, high - low, self.height()), QColor(colors.accent_soft))
        if self._peaks is not None:
            draw_waveform(painter, area.adjusted(0, 3, 0, -3), self._peaks, QColor(colors.accent))
        elif not self.has_sound:
            painter.setPen(QColor(colors.muted))
            painter.setFont(theme.sized(self.font(), theme.SMALL))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self._hint)
        painter.restore()
        painter.setPen(QPen(QColor(colors.second if self.hasFocus() else colors.border), 1))
        painter.drawPath(outline)


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
        self.length.setRange(_SHORTEST, _LONGEST)
        self.length.setSingleStep(0.5)
        self.length.setDecimals(1)
        self.length.setSuffix(self.tr(" s"))
        self.length.setValue(_DEFAULT)
        self.length.lineEdit().setTextMargins(theme.HALF, 0, 0, 0)  # the style sheet's padding does not reach it
        self.strength = NeutralSlider(_DISTANCE)
        self.strength.setObjectName("strengthSlider")
        self.strength.setRange(5, 100)
        self.strength.setValue(_DISTANCE)
        self.strength.setAccessibleName(self.tr("Distance of the variations"))
        meaning = self.tr("How far variations lie from the sound: left close, right unrelated.")
        self.strength.setToolTip(f"{meaning} {self.tr('A double click or Delete sets it back.')}")

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
        area = QScrollArea()
        area.setObjectName("settingArea")
        self.sliders.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        area.setWidget(self.sliders)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area = area
        return area

    def fit_sliders(self, room: int) -> None:
        """Show the sliders below each other, in two columns, or scrolled, as a panel of this height has room for."""
        others = self.minimumSizeHint().height() - self._area.minimumHeight()
        columns = 1 if others + self.sliders.height_in(1) <= room else MOST_COLUMNS
        self.sliders.set_columns(columns)
        wanted = self.sliders.height_in(columns)
        self._area.setFixedHeight(max(min(wanted, room - others), min(wanted, _FEWEST_PIXELS)))
        self._area.setVisible(wanted > 0)

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
