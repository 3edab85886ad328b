"""Between the codes of the run that is shown and the strip: counting them, and playing one."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject

from distill.generation.code_usage import Code, CodebookUse, model_file, read_use, write_code
from distill.gui.engine.jobs import EngineSource
from distill.gui.plots.codebook.panel import CodebookView
from distill.gui.widgets.background import BackgroundTask
from distill.gui.widgets.notices import NoticeBar
from distill.gui.widgets.panel import WindowPart

#: Topic of the notices about codes.
TOPIC = "codes"


class CodebookPresenter(QObject, WindowPart):
    """Shows the strip while there is a finished model to ask, and plays its codes."""

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
        self._asked: Code | None = None
        self._sounds: tempfile.TemporaryDirectory[str] | None = None
        view.strip.code_requested.connect(self._on_code_requested)

    def allow_import(self) -> None:
        """Take up what needs torch: the first frame has been painted."""
        self._may_import = True
        self._count()

    def show_run(self, run_dir: Path | None) -> None:
        """Show the codes of a run that is not under way; None hides the strip, and so does a run without a model."""
        for task in (self._counting, self._making):
            if task is not None:
                task.cancel()
        self._counting = self._making = self._asked = self._use = None
        self._view.hide_codes()
        self._drop_sounds()
        self._run = run_dir if run_dir is not None and model_file(run_dir).is_file() else None
        self._count()

    def close(self) -> None:
        """Forget the codes, and delete their sounds."""
        self.show_run(None)

    def _count(self) -> None:
        run, engine = self._run, self._engine
        if run is None or not self._may_import or self._counting is not None or self._use is not None:
            return
        self._view.show_counting()

        def work(_progress: object, cancel_event: object) -> CodebookUse:
            engine()  # waits for the import, which then happens once and in one place
            return read_use(run, cancel_event)  # type: ignore[arg-type]

        self._counting = BackgroundTask(work, self)
        self._counting.succeeded.connect(self._on_counted)
        self._counting.failed.connect(self._on_count_failed)
        self._counting.start()

    def _on_counted(self, use: CodebookUse) -> None:
        self._counting, self._use = None, use
        self._view.show_use(use)

    def _on_count_failed(self, error: Exception) -> None:
        self._counting = self._run = None
        self._view.hide_codes()
        self._notices.notify(TOPIC, self.tr("The codes of this run cannot be shown: {0}").format(error), "warning")

    def _on_code_requested(self, code: Code) -> None:
        self._asked = code
        if self._making is None:  # otherwise the newest one follows; those between are not worth the wait
            self._make()

    def _make(self) -> None:
        use, code = self._use, self._asked
        if use is None or code is None:
            return
        self._asked = None
        if self._sounds is None:
            self._sounds = tempfile.TemporaryDirectory(prefix="distill-codes-", ignore_cleanup_errors=True)
        folder = Path(self._sounds.name)
        self._making = BackgroundTask(lambda _progress, _cancel: write_code(use, code, folder), self)
        self._making.succeeded.connect(self._on_made)
        self._making.failed.connect(self._on_make_failed)
        self._making.start()

    def _on_made(self, path: Path) -> None:
        self._making = None
        if self._asked is None:
            self._play(path)
        self._make()

    def _on_make_failed(self, error: Exception) -> None:
        self._making = None
        self._notices.notify(TOPIC, self.tr("The code cannot be played: {0}").format(error), "warning")

    def _drop_sounds(self) -> None:
        if self._sounds is not None:
            self._sounds.cleanup()
            self._sounds = None
