"""Follows a run that another process trains: reads what is new in its folder every two seconds."""

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from distill.gui.background_tasks import BackgroundTask
from distill.metrics_history import AnyHistory
from distill.runs.loaded_run import LoadedRun
from distill.runs.run_history import Growth, add_events, read_growth

#: How often the folder is looked at.
LOOK_MILLISECONDS = 2000


class RunFollower(QObject):
    """Keeps the history of an opened run up to date while another process trains in its folder."""

    #: The history has grown.
    grown = Signal()
    #: All previews that are there.
    previews_found = Signal(object)  # sequence of PreviewSound
    #: Nobody trains in the folder any more, or its history was begun anew: the run is to be opened again.
    ended = Signal(object)  # folder

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder: Path | None = None
        self._history: AnyHistory | None = None
        self._history_bytes_read = 0
        self._reading: BackgroundTask | None = None
        self._timer = QTimer(self, interval=LOOK_MILLISECONDS)
        self._timer.timeout.connect(self._read_growth)

    def follow(self, run: LoadedRun) -> None:
        """Follow a run, whose history grows from now on."""
        self.stop()
        self._folder, self._history, self._history_bytes_read = run.folder, run.history, run.history_bytes
        self._timer.start()

    def stop(self) -> None:
        """Follow nothing."""
        self._timer.stop()
        self._folder = self._history = None
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _read_growth(self) -> None:
        folder, position = self._folder, self._history_bytes_read
        if folder is None or self._reading is not None:
            return
        self._reading = BackgroundTask(lambda _progress, _cancel: read_growth(folder, position), self)
        self._reading.succeeded.connect(self._on_read)
        self._reading.ended.connect(self._on_reading_ended)
        self._reading.start()

    def _on_reading_ended(self) -> None:
        self._reading = None

    def _on_read(self, growth: Growth) -> None:
        folder, history = self._folder, self._history
        if folder is None or history is None:
            return
        self._history_bytes_read = growth.position
        if growth.is_rewritten or (growth.host is None and not growth.events):
            self.stop()
            self.ended.emit(folder)
            return
        if add_events(history, growth):
            self.grown.emit()
        self.previews_found.emit(growth.previews)
