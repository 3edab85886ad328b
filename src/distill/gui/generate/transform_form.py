"""The form for sounds to transform: which ones, and the mix of original and result."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from distill.generation.generation_service import TransformRequest
from distill.generation.recipe import Recipe
from distill.gui.widgets import theme
from distill.gui.widgets.labels import ElidedLabel, field_label
from distill.gui.widgets.plain_text import plain_tip, readable


class TransformForm(QWidget):
    """The sounds to transform, and the mix of original and result."""

    choosing_requested = Signal()
    #: The request has changed.
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sources: tuple[Path, ...] = ()
        self._chosen_sounds: tuple[Path, ...] = ()  # in the list of generated sounds
        self._selected_training_sounds: tuple[Path, ...] = ()  # on the page of the training
        self.zone = QFrame()
        self.zone.setObjectName("sourceZone")
        self.name = ElidedLabel()
        self.name.setObjectName("sourceName")
        self.choose = QPushButton(self.tr("&Choose…"))
        self.choose.setObjectName("chooseSourceButton")
        self.choose.setToolTip(self.tr("Choose sounds of any length, or drop them here."))
        self.choose.clicked.connect(self.choosing_requested)
        self.use = QPushButton(self.tr("Use se&lected"))
        self.use.setObjectName("useSelectedButton")
        self.use.clicked.connect(self._on_use)
        self.mix, self.share = QSlider(Qt.Orientation.Horizontal), QLabel()
        self._set_up_mix()
        self._lay_out()
        self.set_sources(())
        self._update_offer()

    def set_sources(self, sources: Sequence[Path]) -> None:
        """Replace the sounds to transform."""
        self.sources = tuple(dict.fromkeys(path.absolute() for path in sources))
        if not self.sources:
            text = self.tr("Drop a sound of any length here")
        elif len(self.sources) == 1:
            text = self.sources[0].name
        else:
            text = self.tr("{0} sounds, from {1}").format(len(self.sources), self.sources[0].name)
        text = readable(text)
        self.name.setText(text)
        self.name.setAccessibleName(self.tr("Sound to be transformed: {0}").format(text))
        self.name.setToolTip(plain_tip(*(str(path) for path in self.sources[:20])))
        self.changed.emit()

    def show_chosen(self, paths: Sequence[Path]) -> None:
        """Offer the selection of the list of generated sounds."""
        self._chosen_sounds = tuple(paths)
        self._update_offer()

    def show_selected(self, paths: Sequence[Path]) -> None:
        """Offer the selection of the training page, if no generated sound is selected."""
        self._selected_training_sounds = tuple(paths)
        self._update_offer()

    def show_dragging(self, is_over: bool) -> None:
        """Show that what is being dragged can be dropped."""
        theme.set_style_property(self.zone, "over", is_over)

    def request(self) -> TransformRequest:
        """Return the request."""
        return TransformRequest(self.sources, self.mix.value() / 100)

    def show_recipe(self, recipe: Recipe) -> None:
        """Show the settings of a transformed sound."""
        self.mix.setValue(round(100 * recipe.dry_wet))
        if recipe.source:
            self.set_sources([Path(recipe.source)])

    def _set_up_mix(self) -> None:
        self.mix.setObjectName("mixSlider")
        self.mix.setAccessibleName(self.tr("Dry and wet"))
        self.mix.setToolTip(self.tr("0 % is the original sound, 100 % the model's."))
        self.mix.setRange(0, 100)
        self.mix.setPageStep(10)
        self.mix.valueChanged.connect(self._on_mix)
        self.share.setObjectName("muted")
        self.share.setMinimumWidth(self.fontMetrics().horizontalAdvance(self._percent(100)) + 2)
        self.mix.setValue(100)

    def _lay_out(self) -> None:
        zone_grid = QGridLayout(self.zone)
        zone_grid.setContentsMargins(theme.GAP, theme.GAP, theme.GAP, theme.GAP)
        zone_grid.setSpacing(theme.GAP)
        zone_grid.addWidget(self.name, 0, 0, 1, 2)
        zone_grid.addWidget(self.choose, 1, 0)
        zone_grid.addWidget(self.use, 1, 1)
        row = QHBoxLayout()
        row.setSpacing(theme.GAP)
        row.addWidget(field_label(self.tr("&Dry"), self.mix))
        row.addWidget(self.mix, 1)
        row.addWidget(field_label(self.tr("Wet"), self.mix))
        row.addWidget(self.share)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GAP)
        column.addWidget(self.zone)
        column.addLayout(row)

    def _percent(self, value: int) -> str:
        return self.tr("{0} %").format(value)

    def _on_mix(self, value: int) -> None:
        self.share.setText(self._percent(value))
        self.changed.emit()

    def _update_offer(self) -> None:
        offered_sounds = self._chosen_sounds or self._selected_training_sounds
        self.use.setEnabled(bool(offered_sounds))
        if not offered_sounds:
            tip = self.tr("Select sounds in the list of generated sounds or on the Training page first.")
        elif self._chosen_sounds:
            one = self.tr("Uses the selected generated sound: {1}")
            tip = one if len(offered_sounds) == 1 else self.tr("Uses the {0} selected generated sounds.")
        else:
            one = self.tr("Uses the selected training sound: {1}")
            more = self.tr("Uses the {0} selected training sounds.")
            tip = one if len(offered_sounds) == 1 else more
        first_name = offered_sounds[0].name if offered_sounds else ""
        self.use.setToolTip(plain_tip(tip.format(len(offered_sounds), first_name)))

    def _on_use(self) -> None:
        if offered_sounds := self._chosen_sounds or self._selected_training_sounds:
            self.set_sources(offered_sounds)
