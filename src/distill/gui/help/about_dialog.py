"""Help, About: the version, the versions of the libraries, and their licences."""

import platform

from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from distill import __version__
from distill.gui.widgets import theme
from distill.paths import resources_dir

#: Distributions whose version matters in a report.  Their metadata is read: to import torch takes seconds.
LIBRARIES_IN_ABOUT = ("PySide6-Essentials", "torch", "numpy", "soundfile", "sounddevice", "pyqtgraph")

ICON_SIDE = 64


def versions() -> str:
    """Return the versions of Distill, its libraries and the system, one on each line, for a report."""
    from importlib import metadata  # late: not needed to open the window

    lines = [f"Distill {__version__}", f"Python {platform.python_version()}", f"Qt {qVersion()}"]
    for name in LIBRARIES_IN_ABOUT:
        try:
            lines.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{name} -")
    lines.append(f"libsndfile {_libsndfile_version()}")
    return "\n".join([*lines, platform.platform()])


def _libsndfile_version() -> str:
    """Return the version of the library that reads sound files; a wheel of soundfile brings its own."""
    try:
        import soundfile
    except OSError:  # the library is missing
        return "-"
    return str(soundfile.__libsndfile_version__)


class AboutDialog(QDialog):
    """Shows version, libraries and licences; the versions can be copied."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("aboutDialog")
        self.setWindowTitle(self.tr("About Distill"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        icon, words = QLabel(), QVBoxLayout()
        icon.setPixmap(QGuiApplication.windowIcon().pixmap(ICON_SIDE, ICON_SIDE))
        icon.setVisible(not icon.pixmap().isNull())
        title = QLabel(f"Distill {__version__}")
        title.setObjectName("dialogTitle")
        what = self._make_words(self.tr("Train a small audio model on your own sounds, and hear it learn."))
        links = self._make_words(
            self.tr(
                'Made with <a href="https://www.qt.io">Qt</a> and PySide6, '
                'used under the <a href="https://www.gnu.org/licenses/lgpl-3.0.html">GNU LGPL, version 3</a>, '
                'and with <a href="https://pytorch.org">PyTorch</a> and NumPy, under BSD licences. '
                "Nothing you train on leaves your computer."
            )
        )
        links.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        links.setOpenExternalLinks(True)
        links.setAccessibleName(self.tr("Licences"))
        words.setSpacing(theme.GAP)
        for widget in (title, what, links):
            words.addWidget(widget)
        top = QHBoxLayout()
        top.setSpacing(2 * theme.GAP)
        top.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(words, 1)
        self.versions = QPlainTextEdit(versions())
        self.versions.setObjectName("versionsText")
        self.versions.setReadOnly(True)
        self.versions.setTabChangesFocus(True)
        self.versions.setAccessibleName(self.tr("Versions"))
        self.versions.setToolTip(self.tr("What this Distill is made of. Please send it along with a report."))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * theme.GAP, 2 * theme.GAP, 2 * theme.GAP, theme.MARGIN)
        layout.setSpacing(theme.MARGIN)
        layout.addLayout(top)
        layout.addWidget(self.versions, 1)
        layout.addWidget(self._make_buttons())
        self.resize(520, 400)

    def _make_words(self, text: str) -> QLabel:
        label = QLabel(text)
        label.setWordWrap(True)
        return label

    def _make_buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        close = buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setObjectName("closeButton")
        close.setToolTip(self.tr("Back to the window (Esc)."))
        copy = buttons.addButton(self.tr("&Copy versions"), QDialogButtonBox.ButtonRole.ActionRole)
        copy.setObjectName("copyVersionsButton")
        copy.setToolTip(self.tr("Put the versions on the clipboard, for a report."))
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(versions()))
        folder = resources_dir() / "licences"
        if folder.is_dir():
            licences = buttons.addButton(self.tr("&Licences…"), QDialogButtonBox.ButtonRole.ActionRole)
            licences.setObjectName("licencesButton")
            licences.setToolTip(self.tr("Read the licences that Qt is used under."))
            licences.clicked.connect(self._on_licences_clicked)
        buttons.rejected.connect(self.reject)
        return buttons

    def _on_licences_clicked(self) -> None:
        """Show the texts in place of the versions."""
        files = sorted((resources_dir() / "licences").glob("*.txt"), reverse=True)
        self.versions.setPlainText("\n\n".join(file.read_text(encoding="utf-8") for file in files))
        self.versions.setAccessibleName(self.tr("Licences"))
        self.versions.setFocus()
