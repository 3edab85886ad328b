"""The form for new sounds: count, seed, length, temperature and freedom."""

import secrets

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QSlider,
    QSpinBox,
    QToolButton,
    QWidget,
)

from distill.generation.generation_service import GenerateRequest
from distill.generation.recipe import MOST_COUNT, TRAINED, Recipe
from distill.gui.widgets import theme
from distill.gui.widgets.icons import icon
from distill.gui.widgets.input_fields import NumberField
from distill.gui.widgets.labels import field_label

#: Highest seed that fits into a spin box, and highest temperature: beyond it decoders give noise.
MOST_SEED, MOST_TEMPERATURE = 2**31 - 1, 4.0
#: Shortest and longest sound that can be requested, seconds.
SHORTEST_S, LONGEST_S = 0.1, 30.0
#: Positions of the slider for the freedom; the one in the middle is the default.
_FREEDOM_STEPS = 20

#: What a spin box has around its number: frame and arrows.
_SPIN_FRAME = 36


class NewSoundsForm(QWidget):
    """How new sounds are to be: count, seed, length, temperature, freedom, and whether they follow the stars.

    Of models that make stereo sounds, also whether in mono.

    Attributes
    ----------
    follow
        The button for following, which the panel shows beside its title.
    """

    #: The request has changed.
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.count, self.seed, self.temperature = QSpinBox(), QSpinBox(), NumberField()
        self.length, self.freedom = NumberField(), QSlider(Qt.Orientation.Horizontal)
        self.dice = self._button("diceButton", self.tr("New random seed"), self.tr("New random seed"))
        self.lock = self._button(
            "seedLockButton",
            self.tr("Keep the seed"),
            self.tr("Keep this seed. Same seed and settings, same sounds."),
        )
        self.lock.setCheckable(True)
        self._is_seed_used = False  # whether sounds were generated with this seed
        self.follow = QToolButton()
        self.follow.setText(self.tr("Follow s&tars"))
        self.follow.setObjectName("followStarsButton")
        self.follow.setProperty("chip", True)
        self.follow.setCheckable(True)
        self.follow.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.mono = QCheckBox(self.tr("M&ono"))
        self.mono.hide()
        self.show_taste(0, 0)
        self._set_up()
        self._set_up_length_and_freedom()
        self._lay_out()
        self.dice.clicked.connect(self.throw)
        self.lock.toggled.connect(self._draw)
        self.count.valueChanged.connect(self.changed)
        self.seed.valueChanged.connect(self._on_seed_changed)
        self.follow.toggled.connect(self._on_seed_changed)
        self.mono.toggled.connect(self._on_seed_changed)
        self.throw()
        self._draw()

    def request(self) -> GenerateRequest:
        """Return the request.  A seed that was used already is replaced by a new one, unless it is locked."""
        if self._is_seed_used and not self.lock.isChecked():
            self.throw()
        self._is_seed_used = True
        follows = self.follow.isChecked() and self.follow.isEnabled()
        return GenerateRequest(
            self.count.value(), self.seed.value(), round(self.temperature.value(), 2), follows,
            mono=self.mono.isChecked() and not self.mono.isHidden(), seconds=round(self.length.value(), 2) or None,
            freedom=None if self.chosen_freedom() == 0.5 else self.chosen_freedom(),
        )  # fmt: skip

    def chosen_freedom(self) -> float:
        """Return the freedom that is set, 0 to 1; 0.5 is the default."""
        return self.freedom.value() / _FREEDOM_STEPS

    def set_freedom(self, freedom: float) -> None:
        """Set the freedom, 0 to 1."""
        self.freedom.setValue(round(freedom * _FREEDOM_STEPS))

    def show_stereo(self, makes_stereo: bool) -> None:
        """Offer mono sounds for a model that makes stereo ones; others make nothing else."""
        self.mono.setHidden(not makes_stereo)

    def show_taste(self, starred: int, rejected: int) -> None:
        """Show how many sounds of the model are starred and rejected; without any there is nothing to follow."""
        self.follow.setEnabled(bool(starred or rejected))
        tip = self.tr("New sounds are more like those of this model that you starred, and less like rejected ones.")
        known = self.tr("{0} starred, {1} rejected.").format(starred, rejected)
        missing = self.tr("Star sounds of this model (S), or reject them (X), in the list first.")
        self.follow.setToolTip(f"{tip}\n{known if self.follow.isEnabled() else missing}")

    def throw(self) -> None:
        """Choose a random seed."""
        self.seed.setValue(secrets.randbelow(10**6))  # short enough to be passed on
        self._is_seed_used = False

    def show_recipe(self, recipe: Recipe) -> None:
        """Show the settings of a generated sound, so that its batch can be generated again."""
        self.count.setValue(recipe.count)
        self.seed.setValue(min(recipe.seed, MOST_SEED))
        self.temperature.setValue(recipe.temperature)
        self.length.setValue(recipe.seconds)
        self.set_freedom(0.5 if recipe.freedom == TRAINED else recipe.freedom)
        self.follow.setChecked(bool(recipe.candidates))
        self.mono.setChecked(recipe.channels == 1 and not self.mono.isHidden())
        self.lock.setChecked(True)

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icons in the colours of a new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_is_seed_used"):
            self._draw()

    def _set_up(self) -> None:
        self.count.setObjectName("makeCountSpin")
        self.count.setAccessibleName(self.tr("Number of new sounds"))
        self.count.setToolTip(self.tr("How many new sounds to generate."))
        self.count.setRange(1, MOST_COUNT)
        self.count.setValue(4)
        self.count.setFixedWidth(self.fontMetrics().horizontalAdvance(str(MOST_COUNT)) + _SPIN_FRAME)
        self.seed.setObjectName("seedSpin")
        self.seed.setAccessibleName(self.tr("Seed"))
        self.seed.setToolTip(self.tr("Same seed and settings, same sounds."))
        self.seed.setRange(0, MOST_SEED)
        self.seed.setMinimumWidth(76)
        self.temperature.setObjectName("temperatureSpin")
        self.temperature.setAccessibleName(self.tr("Temperature"))
        self.temperature.setToolTip(self.tr("1 is as trained; lower is more typical, higher is more unusual."))
        self.temperature.setRange(0.0, MOST_TEMPERATURE)
        self.temperature.setSingleStep(0.1)
        self.temperature.setDecimals(2)
        self.temperature.setValue(1.0)
        self.temperature.setMinimumWidth(58)
        self.mono.setObjectName("monoCheck")
        self.mono.setToolTip(self.tr("Generate mono sounds. Without it, the sounds of this model are stereo."))
        for field in (self.count, self.seed, self.temperature):
            field.lineEdit().setTextMargins(theme.HALF, 0, 0, 0)  # the style sheet's padding does not reach it

    def _set_up_length_and_freedom(self) -> None:
        self.length.setObjectName("lengthSpin")
        self.length.setAccessibleName(self.tr("Length"))
        self.length.setToolTip(self.tr("Length of each sound, up to 30 s. At 0, as long as your sounds are."))
        self.length.setRange(0.0, LONGEST_S)
        self.length.setSingleStep(0.5)
        self.length.setSuffix(self.tr(" s"))
        self.length.setSpecialValueText(self.tr("Like yours"))
        self.length.lineEdit().setTextMargins(theme.HALF, 0, 0, 0)
        self.length.valueChanged.connect(self._on_length)
        self.freedom.setObjectName("freedomSlider")
        self.freedom.setAccessibleName(self.tr("Freedom"))
        self.freedom.setToolTip(
            self.tr("Left: close to your sounds. Right: freer, more surprising, less like them. Middle: the default.")
        )
        self.freedom.setRange(0, _FREEDOM_STEPS)
        self.freedom.setPageStep(_FREEDOM_STEPS // 10)
        self.freedom.setValue(_FREEDOM_STEPS // 2)
        self.freedom.valueChanged.connect(self.changed)

    def _on_length(self, seconds: float) -> None:
        if 0 < seconds < SHORTEST_S:
            self.length.setValue(SHORTEST_S)
        else:
            self.changed.emit()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.GAP)
        grid.setVerticalSpacing(theme.HALF)
        grid.addWidget(field_label(self.tr("Co&unt"), self.count), 0, 0)
        grid.addWidget(field_label(self.tr("See&d"), self.seed), 0, 1)
        seed = QHBoxLayout()
        seed.setSpacing(0)
        seed.addWidget(self.seed, 1)
        seed.addWidget(self.dice)
        seed.addWidget(self.lock)
        freedom_ends = QHBoxLayout()
        freedom_ends.addWidget(field_label(self.tr("Clo&ser"), self.freedom))
        freedom_ends.addStretch(1)
        freedom_ends.addWidget(field_label(self.tr("Freer"), self.freedom))
        grid.addLayout(freedom_ends, 0, 2)
        grid.addWidget(self.count, 1, 0)
        grid.addLayout(seed, 1, 1)
        grid.addWidget(self.freedom, 1, 2)
        temperature_row = QHBoxLayout()
        temperature_row.setSpacing(theme.GAP)
        temperature_row.addWidget(self.temperature, 1)
        temperature_row.addWidget(self.mono)
        grid.addWidget(field_label(self.tr("Len&gth"), self.length), 2, 0, 1, 2)
        grid.addWidget(field_label(self.tr("Te&mperature"), self.temperature), 2, 2)
        grid.addWidget(self.length, 3, 0, 1, 2)
        grid.addLayout(temperature_row, 3, 2)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        grid.setRowStretch(4, 1)

    @staticmethod
    def _button(object_name: str, name: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(object_name)
        button.setAccessibleName(name)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button

    def _on_seed_changed(self) -> None:
        self._is_seed_used = False
        self.changed.emit()

    def _draw(self) -> None:
        current, is_locked = theme.colors(), self.lock.isChecked()
        self.dice.setIcon(icon("dice", current.text))
        self.lock.setIcon(icon("locked" if is_locked else "unlocked", current.second if is_locked else current.text))
