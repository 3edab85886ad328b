"""Errors that nobody expected, brought from any thread to the user: in a dialog, never two of them.

The first error opens the dialog; those that come while it is open go into it.  An error that has been told already,
such as that of a timer, which comes back with each tick, is only noted in the notice bar.
"""

from PySide6.QtCore import QObject, Signal

from distill import diagnostics
from distill.gui.widgets.desktop import reveal
from distill.gui.window.crash_dialog import CrashDialog
from distill.gui.window.window import MainWindow

#: Topic of the notices about errors.
TOPIC = "error"

#: How many errors one dialog takes along: a broken timer brings thirty in a second.
MOST_IN_ONE = 20


class ReportWatcher(QObject):
    """Passes the reports of `distill.diagnostics`, which come from any thread, on to the window's own."""

    _crossed = Signal(object)

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self._window = window
        self._told: set[str] = set()
        self._in_dialog = 0
        self.dialog: CrashDialog | None = None
        self._crossed.connect(self._on_crossed)
        self._unsubscribe = diagnostics.subscribe(self._crossed.emit)

    def close(self) -> None:
        """Listen no more, and take the dialog away."""
        self._unsubscribe()
        if self.dialog is not None:
            self.dialog.close()

    def _on_crossed(self, report: diagnostics.Report) -> None:
        if report.is_expected:  # somebody has not told it where it happened; it is one clear sentence all the same
            self._window.notices.notify(TOPIC, report.summary, "error")
        elif report.summary in self._told or not self._window.isVisible():
            text = self.tr("Something unexpected went wrong: {0}. The details are in {1}")
            self._window.notices.notify(TOPIC, text.format(report.summary.rstrip("."), diagnostics.log_file()), "error")
        elif self.dialog is not None:
            self._told.add(report.summary)
            self._in_dialog += 1
            if self._in_dialog < MOST_IN_ONE:
                self.dialog.add(report)
        else:
            self._told.add(report.summary)
            self._open(report)

    def _open(self, report: diagnostics.Report) -> None:
        self._in_dialog = 1
        self.dialog = CrashDialog(report, self._window.runs.bridge.is_running, self._window)
        self.dialog.quit_requested.connect(self._window.quit_now)
        self.dialog.log_folder_requested.connect(lambda: reveal(diagnostics.log_file()))
        self.dialog.finished.connect(self._on_closed)
        self.dialog.open()

    def _on_closed(self) -> None:
        self.dialog = None
