"""The dialog for exporting generated sounds."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from PySide6.QtCore import QStandardPaths, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from distill.audio.export_options import FORMATS, RATES, ExportOptions, export_format
from distill.errors import ConfigurationError
from distill.generation.export_sounds import ExportRequest
from distill.generation.history.sound_history import GeneratedEntry
from distill.gui.desktop.dialog_folders import StartFolders
from distill.gui.widgets import theme
from distill.gui.widgets.labels import ElidedLabel, field_label
from distill.gui.widgets.plain_text import make_plain, plain_tip, readable

#: Fades at a first start, and the longest that the dialog offers, in milliseconds.
FADE_MS, DIALOG_FADE_MS = 5.0, 500
#: The channels that can be chosen, and `ExportOptions.stereo` for each.
_OWN_CHANNELS, _MIXED_TO_MONO, _WIDENED = "own", "mix", "widened"
_STEREO = {_OWN_CHANNELS: None, _MIXED_TO_MONO: False, _WIDENED: True}


class ExportChoices:
    """What was chosen last, for the next export and the next start of the window."""

    def __init__(self) -> None:
        self.options = ExportOptions("wav24", trim=True, fade_ms=FADE_MS)
        music_folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.MusicLocation)
        self.folder = Path(music_folder or Path.home())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        options = self.options
        return {
            "format": options.format,
            "rate": options.sample_rate,
            "stereo": options.stereo,
            "trim": options.trim,
            "fade": options.fade_ms,
            "folder": str(self.folder),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Restore `to_dict`'s result; invalid values are ignored.

        The folder is not looked at, which would wait for a share that does not answer.  The export makes it, or says
        why it cannot.
        """
        folder = data.get("folder")
        if isinstance(folder, str) and folder and "\0" not in folder:
            self.folder = Path(folder)
        name, rate, fade = data.get("format"), data.get("rate"), data.get("fade", FADE_MS)
        if isinstance(name, str) and isinstance(rate, int) and isinstance(fade, (int, float)):
            with suppress(ConfigurationError):  # a preference of another version
                widened = True if data.get("stereo") is True else None
                self.options = ExportOptions(
                    name, rate, widened, trim=data.get("trim") is not False, fade_ms=float(fade)
                )


class ExportDialog(QDialog):
    """Asks for format, rate, channels and folder; it is not modal and writes nothing.

    Parameters
    ----------
    sounds
        What is exported.
    choices
        What is proposed; `accept` keeps what was chosen in it.
    starts
        Where the choice of a folder starts.
    parent
        Window that it belongs to.
    """

    export_requested = Signal(object)  # ExportRequest

    def __init__(
        self, sounds: Sequence[GeneratedEntry], choices: ExportChoices, starts: StartFolders, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._dialog_folders = starts
        self.setObjectName("exportDialog")
        self._sounds, self._choices, self.folder = tuple(sounds), choices, choices.folder
        count = len(self._sounds)
        self.setWindowTitle(self.tr("Export 1 sound") if count == 1 else self.tr("Export {0} sounds").format(count))
        self.format, self.rate, self.channels = QComboBox(), QComboBox(), QComboBox()
        self.trim, self.fade = QCheckBox(self.tr("&Trim silence at both ends")), QSpinBox()
        self.position, self.name = ElidedLabel(), QLabel()
        self.browse = QPushButton(self.tr("C&hoose…"))
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        self.export = self.buttons.addButton(self.tr("E&xport"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.export.setProperty("primary", True)
        self._set_up()
        self._lay_out()
        self._on_format()
        self._show_rate(choices.options.sample_rate)
        self._show_target()
        make_plain(self)

    @property
    def options(self) -> ExportOptions:
        """How the sounds are to be written."""
        return ExportOptions(
            self.format.currentData(),
            self.rate.currentData(),
            _STEREO[self.channels.currentData()],
            trim=self.trim.isChecked(),
            fade_ms=float(self.fade.value()),
        )

    def accept(self) -> None:
        """Request the export, and keep the choices."""
        self._choices.options, self._choices.folder = self.options, self.folder
        self.export_requested.emit(ExportRequest(self._sounds, self.folder, self.options))
        super().accept()

    def set_folder(self, folder: Path) -> None:
        """Write into this folder."""
        self.folder = folder
        self._dialog_folders.look(folder)
        self._show_target()

    def _set_up(self) -> None:
        for row in FORMATS:
            self.format.addItem(row.label, row.key)
        numbers = {sound.recipe.channels for sound in self._sounds}
        if 2 in numbers:
            self.channels.addItem(self.tr("As generated (stereo)"), _OWN_CHANNELS)
        self.channels.addItem(self.tr("Mono"), _MIXED_TO_MONO if 2 in numbers else _OWN_CHANNELS)
        if 1 in numbers:
            self.channels.addItem(self.tr("Stereo (widened)"), _WIDENED)
        self.trim.setChecked(self._choices.options.trim)
        self.fade.setRange(0, DIALOG_FADE_MS)
        self.fade.setSuffix(self.tr(" ms"))
        self.fade.setValue(round(self._choices.options.fade_ms))
        self.fade.lineEdit().setTextMargins(theme.HALF, 0, 0, 0)  # the style sheet's padding does not reach it
        self.format.setCurrentIndex(self.format.findData(self._choices.options.format))
        known = next(key for key, stereo in _STEREO.items() if stereo is self._choices.options.stereo)
        self.channels.setCurrentIndex(max(0, self.channels.findData(known)))
        for widget, name, spoken, tip in (
            (self.format, "exportFormat", self.tr("Format"),
             self.tr("WAV and FLAC keep every sample; OGG and MP3 are small. 16 bits are dithered.")),
            (self.rate, "exportRate", self.tr("Sample rate"),
             self.tr("Models work at 48 kHz; another rate is resampled. MP3 cannot hold 96 kHz.")),
            (self.channels, "exportChannels", self.tr("Channels"),
             self.tr("Widened: two channels that differ a little; mixed to mono they are the same sound as before.")),
            (self.trim, "exportTrim", self.tr("Trim silence"),
             self.tr("Cut off what is below −60 dBFS, before and after the sound.")),
            (self.fade, "exportFade", self.tr("Fades"),
             self.tr("Length of the fades at both ends, so that no cut is heard; 0 for none.")),
            (self.browse, "exportFolderButton", self.tr("Choose the folder"), self.tr("Choose where to write to.")),
        ):  # fmt: skip
            widget.setObjectName(name)
            widget.setAccessibleName(spoken)
            widget.setToolTip(tip)
        self.position.setObjectName("exportFolder")
        self.name.setObjectName("muted")
        self.name.setWordWrap(True)
        self.name.setMinimumWidth(1)  # a long name must not make the dialog wider than the screen
        self.export.setObjectName("exportAcceptButton")
        self.export.setDefault(True)
        self.format.currentIndexChanged.connect(self._on_format)
        self.browse.clicked.connect(self._on_browse)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.MARGIN)
        grid.setVerticalSpacing(theme.GAP)
        for row, (text, widget) in enumerate(
            (
                (self.tr("&Format"), self.format),
                (self.tr("Sample &rate"), self.rate),
                (self.tr("Cha&nnels"), self.channels),
                (self.tr("Fa&des"), self.fade),
            )
        ):
            grid.addWidget(field_label(text, widget), row, 0)
            grid.addWidget(widget, row, 1, 1, 2)
        grid.addWidget(self.trim, 4, 1, 1, 2)
        grid.addWidget(field_label(self.tr("F&older"), self.browse), 5, 0)
        grid.addWidget(self.position, 5, 1)
        grid.addWidget(self.browse, 5, 2)
        grid.setColumnStretch(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * theme.GAP, 2 * theme.GAP, 2 * theme.GAP, 2 * theme.GAP)
        column.setSpacing(theme.MARGIN)
        column.addLayout(grid)
        column.addWidget(self.name)
        column.addWidget(self.buttons)
        self.setMinimumWidth(400)

    def _on_format(self) -> None:
        """List the rates that the format supports; the chosen rate stays if possible."""
        chosen_rate = self.rate.currentData() or self._choices.options.sample_rate
        rates = export_format(self.format.currentData()).rates
        self.rate.clear()
        for rate in RATES:
            if rate in rates:
                self.rate.addItem(self.tr("{0} kHz").format(f"{rate / 1000:g}"), rate)
        self._show_rate(chosen_rate)
        self._show_target()

    def _show_rate(self, rate: int) -> None:
        rate_row = self.rate.findData(rate)
        self.rate.setCurrentIndex(rate_row if rate_row >= 0 else self.rate.findData(48_000))

    def _on_browse(self) -> None:
        dialog = QFileDialog(
            self, self.tr("Choose the folder to write to"), str(self._dialog_folders.start(self.folder))
        )
        dialog.setObjectName("exportFolderDialog")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(lambda chosen: self.set_folder(Path(chosen)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _show_target(self) -> None:
        self.position.setText(readable(str(self.folder)))
        self.position.setToolTip(plain_tip(str(self.folder)))
        suffix = export_format(self.format.currentData()).suffix
        first_name = readable(f"{self._sounds[0].path.stem}{suffix}")
        self.name.setText(
            self.tr("Written as {0}; a name that is taken gets a number.").format(first_name)
            if len(self._sounds) == 1
            else self.tr("Written as {0} and so on; names that are taken get a number.").format(first_name)
        )
