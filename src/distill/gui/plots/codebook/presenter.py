"""Counts the codes of the shown run in the background, and plays one that is clicked."""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject

from distill.files import temporary_folder
from distill.generation.codebooks import Code, CodebookUse, read_use, write_code
from distill.gui.background_tasks import BackgroundTask, end_tasks
from distill.gui.engine.engine_protocol import EngineSource
from distill.gui.plots.codebook.panel import CodebookView
from distill.gui.widgets.notices import NoticeBar
from distill.gui.window_part import WindowPart
from distill.runs.folder import MODEL

#: Topic of the notices about codes.
TOPIC = "codes"


class CodebookPresenter(QObject, WindowPart):
    """Shows the code strip of a finished run, and plays its codes."""

    def __init__(
        self,
        engine: EngineSource,
        view: CodebookView,
        play: Callable[[Path], None],
        notices: NoticeBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._engine, self._view, self._play, self._notices = engine, view, play, notices
        self._may_import = False
        self._run: Path | None = None
        self._use: CodebookUse | None = None
        self._counting: BackgroundTask | None = None
        self._making: BackgroundTask | None = None
        self._requested: Code | None = None
        #: Sounds of single codes, in one folder a run.  It lives as long as the window, since a task that was cancelled
        #: may still write into it.
        self._sounds: tempfile.TemporaryDirectory[str] | None = None
        self._run_number = 0
        view.strip.code_requested.connect(self._on_code_requested)

    def allow_import(self) -> None:
        """Start the work that imports torch; called after the first frame."""
        self._may_import = True
        self._count()

    def show_run(self, run_dir: Path | None) -> None:
        """Show the codes of a run that is not training; None, or a run without a model, hides the strip."""
        for task in (self._counting, self._making):
            if task is not None:
                task.cancel()
        self._counting = self._making = self._requested = self._use = None
        self._view.hide_codes()
        self._run_number += 1
        self._run = run_dir
        self._count()

    def close(self) -> None:
        """Wait for the background work, and delete the sounds that it wrote."""
        self._run = None
        end_tasks(self)  # before the folder is deleted: a task may still be writing into it
        self.show_run(None)
        if self._sounds is not None:
            self._sounds.cleanup()
            self._sounds = None

    def _count(self) -> None:
        run, engine = self._run, self._engine
        if run is None or not self._may_import or self._counting is not None or self._use is not None:
            return

        def work(notify: Callable[[object], None], cancel_event: threading.Event) -> CodebookUse | None:
            if not (run / MODEL).is_file():
                return None
            notify(None)
            engine()  # waits for the import, which then happens once and in one place
            return read_use(run, cancel_event)

        self._counting = BackgroundTask(work, self)
        self._counting.progressed.connect(lambda _found: self._view.show_counting())
        self._counting.succeeded.connect(self._on_counted)
        self._counting.failed.connect(self._on_count_failed)
        self._counting.ended.connect(self._on_counting_ended)
        self._counting.start()

    def _on_counted(self, use: CodebookUse | None) -> None:
        if use is not None:
            self._use = use
            self._view.show_use(use)

    def _on_count_failed(self, error: Exception) -> None:
        self._notices.notify_error(TOPIC, error, self.tr("The codes of this run cannot be shown: {0}"))

    def _on_counting_ended(self) -> None:
        self._counting = None
        if self._use is None:  # there is no model, or it cannot be read
            self._run = None
            self._view.hide_codes()

    def _on_code_requested(self, code: Code) -> None:
        self._requested = code
        if self._making is None:  # otherwise only the newest request follows
            self._make()

    def _make(self) -> None:
        use, code = self._use, self._requested
        if use is None or code is None:
            return
        self._requested = None
        if self._sounds is None:
            self._sounds = temporary_folder("codes")
        folder = Path(self._sounds.name) / str(self._run_number)
        folder.mkdir(exist_ok=True)
        self._making = BackgroundTask(lambda _progress, _cancel: write_code(use, code, folder), self)
        self._making.succeeded.connect(self._on_made)
        self._making.failed.connect(self._on_make_failed)
        self._making.ended.connect(self._on_making_ended)
        self._making.start()

    def _on_made(self, path: Path) -> None:
        if self._requested is None:
            self._play(path)

    def _on_make_failed(self, error: Exception) -> None:
        self._notices.notify_error(TOPIC, error, self.tr("The code cannot be played: {0}"))

    def _on_making_ended(self) -> None:
        self._making = None
        self._make()
