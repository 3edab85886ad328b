"""Help, Report a problem: shows each file of a report, and saves it when the user has seen it."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QStandardPaths, Qt, Signal
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from distill import diagnostics
from distill.gui.background_tasks import BackgroundTask, end_tasks
from distill.gui.desktop.show_in_folder import reveal
from distill.gui.help.about_dialog import versions
from distill.gui.user_errors import error_text
from distill.gui.widgets import theme
from distill.gui.widgets.notices import NoticeAction, NoticeBar
from distill.reporting.problem_report import collect, report_path, write

#: Topic of the notice about a saved report.
TOPIC = "report"

FIRST_SIZE = (820, 560)

#: Width of the list of files, in device-independent pixels.
LIST_WIDTH = 150


class ReportDialog(QDialog):
    """Shows a report before it is saved.

    Parameters
    ----------
    errors
        What was reported, oldest first; empty where nothing has gone wrong.
    parent
        Window that it belongs to.
    """

    #: The report has been saved.
    saved = Signal(object)  # Path

    def __init__(self, errors: Sequence[diagnostics.Report], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("reportDialog")
        self.setWindowTitle(self.tr("Report a problem"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._parts: dict[str, str] = {}
        self.state = QLabel(self.tr("The report is put together…"))
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.state.setWordWrap(True)
        self.files, self.text = self._make_files(), self._make_text()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        cancel = buttons.button(QDialogButtonBox.StandardButton.Cancel)
        cancel.setObjectName("cancelReportButton")
        cancel.setToolTip(self.tr("Save nothing (Esc)."))
        self.save = buttons.addButton(self.tr("&Save…"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.save.setObjectName("saveReportButton")
        self.save.setToolTip(self.tr("Write these files into one ZIP archive. Nothing is sent."))
        self.save.setEnabled(False)
        self.save.clicked.connect(self._on_save_clicked)
        buttons.rejected.connect(self.reject)
        row = QHBoxLayout()
        row.setSpacing(theme.GAP)
        row.addWidget(self.files)
        row.addWidget(self.text, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * theme.GAP, 2 * theme.GAP, 2 * theme.GAP, theme.MARGIN)
        layout.setSpacing(theme.MARGIN)
        layout.addWidget(self.state)
        layout.addLayout(row, 1)
        layout.addWidget(buttons)
        self.resize(*FIRST_SIZE)
        self._target = Path.home()
        found, about = tuple(errors), versions()
        desktop = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DesktopLocation))
        task = BackgroundTask(lambda _progress, _cancel: (collect(found, about), report_path(desktop)), self)
        task.succeeded.connect(self._on_collected)
        task.start()

    def done(self, result: int) -> None:
        """Close; what is still being put together is given up."""
        end_tasks(self)
        super().done(result)

    def save_as(self, path: Path) -> None:
        """Write the archive in the background; the dialog closes when it is there."""

        def work(_progress: object, _cancel: object) -> Path:
            write(path, self._parts)
            return path

        self.save.setEnabled(False)
        task = BackgroundTask(work, self)
        task.succeeded.connect(self._on_saved)
        task.failed.connect(self._on_save_failed)
        task.start()

    def _make_files(self) -> QListWidget:
        files = QListWidget()
        files.setObjectName("reportFiles")
        files.setAccessibleName(self.tr("Files of the report"))
        files.setToolTip(self.tr("All that is in the report. Choose a file to read it."))
        files.setFixedWidth(LIST_WIDTH)
        files.currentTextChanged.connect(self._on_file_chosen)
        return files

    def _make_text(self) -> QPlainTextEdit:
        text = QPlainTextEdit()
        text.setObjectName("reportText")
        text.setReadOnly(True)
        text.setTabChangesFocus(True)
        text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        text.setAccessibleName(self.tr("Content of the file"))
        text.setToolTip(self.tr("What the chosen file says, exactly as it is saved."))
        return text

    def _on_collected(self, collected: tuple[dict[str, str], Path]) -> None:
        parts, self._target = collected
        self._parts = parts
        self.state.setText(
            self.tr(
                "Names and folders are replaced by hashes, and there are no sounds in it. Look through the files, "
                "then save the report and send it to the developers. Distill sends nothing by itself."
            )
        )
        self.files.addItems(list(parts))
        self.files.setCurrentRow(0)
        self.save.setEnabled(True)
        self.save.setDefault(True)

    def _on_file_chosen(self, name: str) -> None:
        self.text.setPlainText(self._parts.get(name, ""))

    def _on_save_clicked(self) -> None:
        dialog = QFileDialog(self, self.tr("Save the report"), str(self._target.parent), self.tr("ZIP archive (*.zip)"))
        dialog.setObjectName("saveReportDialog")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("zip")
        dialog.selectFile(self._target.name)
        dialog.fileSelected.connect(self._on_path_chosen)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_path_chosen(self, name: str) -> None:
        self.save_as(Path(name))

    def _on_saved(self, path: Path) -> None:
        self.saved.emit(path)
        self.accept()

    def _on_save_failed(self, error: Exception) -> None:
        text = self.tr("The report cannot be written ({0}). Choose another folder.")
        self.state.setText(text.format(error_text(error)))
        self.save.setEnabled(True)


def open_report(errors: Sequence[diagnostics.Report], parent: QWidget, notices: NoticeBar) -> ReportDialog:
    """Open the dialog over ``parent``; the notice bar says where the report was saved."""
    dialog = ReportDialog(errors, parent)

    def on_saved(path: Path) -> None:
        text = QCoreApplication.translate(
            "ReportDialog", "The report is saved as {0}. Please send it to the developers."
        )
        action = NoticeAction(
            QCoreApplication.translate("ReportDialog", "Show in folder"), lambda: reveal(path, notices)
        )
        notices.notify(TOPIC, text.format(path.name), "info", action)

    dialog.saved.connect(on_saved)
    dialog.open()
    return dialog
