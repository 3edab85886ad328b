"""The dialog that asks how many versions of each pad a kit gets."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from distill.generation.kits.plan import MOST_LAYERS, MOST_TURNS, KitPlan
from distill.gui.generate.forms import field_label
from distill.gui.widgets import theme

#: Smallest width, in device-independent pixels.
_WIDTH = 380


class KitDialog(QDialog):
    """Asks for round robins and velocity layers; it is not modal and writes nothing.

    Parameters
    ----------
    sounds
        Number of sounds on the pads.
    plan
        What is proposed.
    """

    #: The folder is to be chosen for a kit of this plan.
    plan_chosen = Signal(object)  # KitPlan

    def __init__(self, sounds: int, plan: KitPlan, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("kitDialog")
        self.setWindowTitle(self.tr("Export kit"))
        self._sounds = sounds
        self.turns, self.layers, self.text = QSpinBox(), QSpinBox(), QLabel()
        form = QFormLayout()
        form.setHorizontalSpacing(theme.MARGIN)
        form.setVerticalSpacing(theme.GAP)
        for widget, most, value, name, label, tip in (
            (self.turns, MOST_TURNS, plan.turns, "kitTurnsSpin", self.tr("&Round robins"),
             self.tr("Variations of each sound that are played in turn.")),
            (self.layers, MOST_LAYERS, plan.layers, "kitLayersSpin", self.tr("&Velocity layers"),
             self.tr("Ranges of velocity with variations of their own, darker for soft notes.")),
        ):  # fmt: skip
            widget.setObjectName(name)
            widget.setRange(1, most)
            widget.setValue(value)
            widget.setAccessibleName(label.replace("&", ""))
            widget.setToolTip(tip)
            widget.lineEdit().setTextMargins(theme.HALF, 0, 0, 0)  # the style sheet's padding does not reach it
            widget.valueChanged.connect(self._show)
            form.addRow(field_label(label, widget), widget)
        self.text.setObjectName("muted")
        self.text.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        self.choose = buttons.addButton(self.tr("&Choose folder…"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.choose.setObjectName("kitFolderButton")
        self.choose.setProperty("primary", True)
        self.choose.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * theme.GAP, 2 * theme.GAP, 2 * theme.GAP, 2 * theme.GAP)
        column.setSpacing(theme.MARGIN)
        column.addLayout(form)
        column.addWidget(self.text)
        column.addWidget(buttons)
        self.setMinimumWidth(_WIDTH)
        self._show()

    @property
    def plan(self) -> KitPlan:
        """What was chosen."""
        return KitPlan(self._sounds, self.turns.value(), self.layers.value())

    def accept(self) -> None:
        """Report what was chosen."""
        super().accept()
        self.plan_chosen.emit(self.plan)

    def _show(self) -> None:
        plan = self.plan
        files = self._sounds * plan.turns * plan.layers
        if files == self._sounds:
            self.text.setText(self.tr("One file for each pad: {0}.").format(files))
            return
        self.text.setText(
            self.tr("Up to {0} files. The model makes the versions; sounds that it has not made have one each.").format(
                files
            )
        )
