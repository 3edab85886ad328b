"""Errors that nobody expected, told in the notice bar: the log has the details."""

from PySide6.QtCore import QObject, Signal

from distill import diagnostics
from distill.gui.main_window import MainWindow


class ReportWatcher(QObject):
    """Passes the reports of `distill.diagnostics`, which come from any thread, on to the window's own."""

    _crossed = Signal(object)

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self._window = window
        self._crossed.connect(self._on_crossed)
        self._unsubscribe = diagnostics.subscribe(self._crossed.emit)

    def close(self) -> None:
        """Listen no more."""
        self._unsubscribe()

    def _on_crossed(self, report: diagnostics.Report) -> None:
        text = self.tr("Something unexpected went wrong: {0}. The details are in {1}")
        self._window.notices.tell("error", text.format(report.summary.rstrip("."), diagnostics.log_file()), "error")
