"""Shows unexpected errors from any thread in one dialog.

The first error opens the dialog; those that come while it is open are added.  An error that was shown before, such as
that of a timer, which comes back with each tick, is only shown in the notice bar.
"""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from distill import diagnostics
from distill.gui.desktop.show_in_folder import reveal
from distill.gui.window.main_window import MainWindow

if TYPE_CHECKING:
    from distill.gui.help.crash_dialog import CrashDialog

#: Topic of the notices about errors.
TOPIC = "error"

#: Most errors in one dialog: a broken timer raises thirty in a second.
MOST_IN_DIALOG = 20


class ReportWatcher(QObject):
    """Passes the reports of `distill.diagnostics` from any thread to the window's thread."""

    _report_received = Signal(object)

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self._window = window
        self._told_summaries: set[str] = set()
        self._errors_in_dialog = 0
        self.dialog: CrashDialog | None = None
        self._report_received.connect(self._on_report_received)
        self._unsubscribe = diagnostics.subscribe(self._report_received.emit)

    def close(self) -> None:
        """Unsubscribe, and close the dialog."""
        self._unsubscribe()
        if self.dialog is not None:
            self.dialog.close()

    def _on_report_received(self, report: diagnostics.Report) -> None:
        if report.is_expected:  # a user error that nobody has shown where it happened
            self._window.notices.notify(TOPIC, report.summary, "error")
        elif report.summary in self._told_summaries or not self._window.isVisible():
            text = self.tr("Something unexpected went wrong: {0}. The details are in {1}")
            self._window.notices.notify(TOPIC, text.format(report.summary.rstrip("."), diagnostics.log_file()), "error")
        elif self.dialog is not None:
            self._told_summaries.add(report.summary)
            self._errors_in_dialog += 1
            if self._errors_in_dialog < MOST_IN_DIALOG:
                self.dialog.add(report)
        else:
            self._told_summaries.add(report.summary)
            self._open(report)

    def _open(self, report: diagnostics.Report) -> None:
        # Here, so that the first frame need not wait for it; the menus have imported most of it by now.
        from distill.gui.help.crash_dialog import CrashDialog

        self._errors_in_dialog = 1
        self.dialog = CrashDialog(report, self._window.is_training, self._window)
        self.dialog.quit_requested.connect(self._window.quit_now)
        self.dialog.log_folder_requested.connect(lambda: reveal(diagnostics.log_file(), self._window))
        self.dialog.report_requested.connect(self._on_report_requested)
        self.dialog.finished.connect(self._on_closed)
        self.dialog.open()

    def _on_report_requested(self) -> None:
        from distill.gui.help.report_dialog import open_report

        if self.dialog is not None:
            open_report(self.dialog.reports, self.dialog, self._window.notices)

    def _on_closed(self) -> None:
        self.dialog = None
