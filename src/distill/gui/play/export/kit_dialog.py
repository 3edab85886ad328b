"""The dialog that asks how many versions of each pad a kit gets, and where it is written."""

from collections.abc import Collection
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from distill.generation.kits.kit_sounds import MOST_LAYERS, MOST_TURNS, KitPlan
from distill.gui.widgets import theme
from distill.gui.widgets.labels import ElidedLabel, field_label
from distill.gui.widgets.plain_text import plain_tip
from distill.names import free_name, plain_name

#: Smallest width, in device-independent pixels.
_WIDTH = 420


class KitDialog(QDialog):
    """Asks for round robins, velocity layers, name and folder; it is not modal and writes nothing.

    The name is that of a new folder.  One that is taken gets a number.

    Parameters
    ----------
    sounds
        Number of sounds on the pads.
    plan, folder, name
        What is proposed.
    """

    kit_requested = Signal(object, object)  # Path of the new folder, KitPlan
    #: Another folder is chosen: which names are taken there?
    folder_chosen = Signal(object)  # Path

    def __init__(self, sounds: int, plan: KitPlan, folder: Path, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("kitDialog")
        self.setWindowTitle(self.tr("Export kit"))
        self._sounds, self._proposed, self.folder = sounds, name, folder
        self._taken: Collection[str] = ()
        self._is_answering = False  # the folder; a share that is gone would freeze the window
        self.turns, self.layers, self.text = QSpinBox(), QSpinBox(), QLabel()
        self.name, self.position, self.browse = QLineEdit(name), ElidedLabel(), QPushButton(self.tr("C&hoose…"))
        for spin, most, value in ((self.turns, MOST_TURNS, plan.turns), (self.layers, MOST_LAYERS, plan.layers)):
            spin.setRange(1, most)
            spin.setValue(value)
            spin.lineEdit().setTextMargins(theme.HALF, 0, 0, 0)  # the style sheet's padding does not reach it
            spin.valueChanged.connect(self._show)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        self.export = buttons.addButton(self.tr("E&xport"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.export.setObjectName("kitExportButton")
        self.export.setProperty("primary", True)
        self.export.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.text.setObjectName("muted")
        self.text.setWordWrap(True)
        self.position.setObjectName("kitFolder")
        self.name.textChanged.connect(self._show)
        self.browse.clicked.connect(self._on_browse)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * theme.GAP, 2 * theme.GAP, 2 * theme.GAP, 2 * theme.GAP)
        column.setSpacing(theme.MARGIN)
        column.addLayout(self._fields())
        column.addWidget(self.text)
        column.addWidget(buttons)
        self.setMinimumWidth(_WIDTH)
        self.set_folder(folder)
        self.name.setFocus()
        self.name.selectAll()

    @property
    def plan(self) -> KitPlan:
        """What was chosen."""
        return KitPlan(self._sounds, self.turns.value(), self.layers.value())

    @property
    def target(self) -> Path:
        """The new folder for the kit."""
        return self.folder / free_name(plain_name(self.name.text(), self._proposed), self._taken)

    def accept(self) -> None:
        """Request the kit."""
        super().accept()
        self.kit_requested.emit(self.target, self.plan)

    def set_folder(self, folder: Path) -> None:
        """Write the new folder into this one."""
        self.folder, self._taken, self._is_answering = folder, (), False
        self.position.setText(str(folder))
        self.position.setToolTip(plain_tip(str(folder)))
        self._show()

    def show_taken(self, names: Collection[str]) -> None:
        """Propose a name that is not among these; one that the user has typed stays, and the number is said below."""
        self._taken, self._is_answering = names, True
        if not self.name.isModified():
            self.name.setText(free_name(self._proposed, names))
            self.name.selectAll()
        self._show()

    def _fields(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.MARGIN)
        grid.setVerticalSpacing(theme.GAP)
        for row, (widget, name, label, tip) in enumerate((
            (self.turns, "kitTurnsSpin", self.tr("&Round robins"),
             self.tr("Variations of each sound that are played in turn.")),
            (self.layers, "kitLayersSpin", self.tr("&Velocity layers"),
             self.tr("Ranges of velocity with variations of their own, darker for soft notes.")),
            (self.name, "kitNameEdit", self.tr("&Name"), self.tr("Name of the kit, and of the new folder for it.")),
            (self.browse, "kitFolderButton", self.tr("F&older"), self.tr("Choose where the new folder is made.")),
        )):  # fmt: skip
            widget.setObjectName(name)
            widget.setAccessibleName(label.replace("&", ""))
            widget.setToolTip(tip)
            grid.addWidget(field_label(label, widget), row, 0)
            if widget is self.browse:
                grid.addWidget(self.position, row, 1)
                grid.addWidget(widget, row, 2)
            else:
                grid.addWidget(widget, row, 1, 1, 2)
        grid.setColumnStretch(1, 1)
        return grid

    def _on_browse(self) -> None:
        start = self.folder if self._is_answering else Path.home()
        dialog = QFileDialog(self, self.tr("Choose where the new folder is made"), str(start))
        dialog.setObjectName("kitFolderDialog")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(self._on_folder_selected)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_folder_selected(self, folder: str) -> None:
        self.set_folder(Path(folder))
        self.folder_chosen.emit(self.folder)

    def _show(self) -> None:
        plan = self.plan
        files = self._sounds * plan.turns * plan.layers
        if files == self._sounds:
            text = self.tr("One file for each pad: {0}.").format(files)
        else:
            text = self.tr(
                "Up to {0} files. The model makes the versions; sounds that it has not made have one each."
            ).format(files)
        self.text.setText(self.tr("{0}\nNew folder: {1}").format(text, self.target.name))
