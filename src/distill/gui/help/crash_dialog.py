"""The dialog for an unexpected error: what happened, what to do, and a report to send."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from distill.diagnostics import Report
from distill.gui.background_tasks import BackgroundTask, end_tasks
from distill.gui.help.about_dialog import versions
from distill.gui.widgets import theme
from distill.reporting.problem_report import collect, log_excerpt, short_text


class CrashDialog(QDialog):
    """Shows one error; errors that come while it is open are counted and included in the report.

    Attributes
    ----------
    reports
        The errors, oldest first.
    """

    quit_requested = Signal()
    log_folder_requested = Signal()
    report_requested = Signal()

    def __init__(self, report: Report, is_training: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("crashDialog")
        self.setWindowTitle(self.tr("Something went wrong"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.reports = [report]
        title = QLabel(self.tr("Something went wrong that should not have."))
        title.setObjectName("dialogTitle")
        self._error_label = self._make_label(report.summary)
        self._error_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        dialog_text = self.tr(
            "You can go on; if something now behaves oddly, quit and start Distill again. "
            "Your sounds are never changed."
        )
        if is_training:
            dialog_text += " " + self.tr("The training goes on; quitting stops it with a checkpoint.")
        self.details = QPlainTextEdit()
        self.details.setObjectName("crashDetails")
        self.details.setReadOnly(True)
        self.details.setTabChangesFocus(True)
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.details.setAccessibleName(self.tr("Details"))
        self.details.setToolTip(self.tr("What a developer needs to find the cause: the error, and the end of the log."))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * theme.GAP, 2 * theme.GAP, 2 * theme.GAP, theme.MARGIN)
        layout.setSpacing(theme.MARGIN)
        for widget in (title, self._error_label, self._make_label(dialog_text)):
            layout.addWidget(widget)
        layout.addWidget(self.details, 1)
        layout.addWidget(self._make_buttons())
        self.resize(640, 440)
        self._render()

    def add(self, report: Report) -> None:
        """Add another error."""
        self.reports.append(report)
        self._render()

    def done(self, result: int) -> None:
        """Close; details that are still being put together are not copied."""
        end_tasks(self)
        super().done(result)

    def _make_label(self, text: str) -> QLabel:
        label = QLabel(text)
        label.setTextFormat(Qt.TextFormat.PlainText)  # the text of an error must not act as markup
        label.setWordWrap(True)
        return label

    def _make_buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox()
        role = QDialogButtonBox.ButtonRole
        by_name: dict[str, QPushButton] = {}
        for name, text, where, tip in (
            ("goOnButton", self.tr("&Go on"), role.AcceptRole, self.tr("Close this and go on working (Esc).")),
            ("quitButton", self.tr("&Quit"), role.DestructiveRole,
             self.tr("Close Distill; a training is stopped with a checkpoint first.")),
            ("copyDetailsButton", self.tr("&Copy details"), role.ActionRole,
             self.tr("Put the errors, the end of the log and the versions on the clipboard. "
                     "Names and folders are replaced by hashes.")),
            ("reportButton", self.tr("Save &report…"), role.ActionRole,
             self.tr("Make a file for the developers, without names and sounds; you see it before it is saved.")),
            ("logFolderButton", self.tr("Open &log folder"), role.ActionRole,
             self.tr("Show the folder that the whole log lies in.")),
        ):  # fmt: skip
            button = buttons.addButton(text, where)
            button.setObjectName(name)
            button.setToolTip(tip)
            by_name[name] = button
        by_name["goOnButton"].setDefault(True)
        by_name["goOnButton"].clicked.connect(self.accept)
        by_name["quitButton"].clicked.connect(self._on_quit_clicked)
        self._copy_button = by_name["copyDetailsButton"]
        self._copy_button.clicked.connect(self._on_copy_clicked)
        by_name["reportButton"].clicked.connect(self.report_requested)
        by_name["logFolderButton"].clicked.connect(self.log_folder_requested)
        return buttons

    def _on_quit_clicked(self) -> None:
        self.accept()
        self.quit_requested.emit()

    def _on_copy_clicked(self) -> None:
        errors, about = tuple(self.reports), versions()
        self._copy_button.setEnabled(False)
        task = BackgroundTask(lambda _progress, _cancel: short_text(collect(errors, about)), self)
        task.succeeded.connect(self._on_details_redacted)
        task.ended.connect(self._on_copy_ended)
        task.start()

    def _on_details_redacted(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self._copy_button.setText(self.tr("&Copied"))

    def _on_copy_ended(self) -> None:
        self._copy_button.setEnabled(True)

    def _render(self) -> None:
        self._copy_button.setText(self.tr("&Copy details"))
        more = len(self.reports) - 1
        first = self.reports[0].summary
        self._error_label.setText(first if not more else self.tr("{0} (and {1} more)").format(first, more))
        parts = [f"{report.origin}: {report.details}" for report in self.reports[-10:]]
        if excerpt := log_excerpt():
            parts.append(f"{self.tr('The end of the log:')}\n{excerpt}")
        self.details.setPlainText("\n".join(parts))
