"""Carries out requests about previews: stars, showing them in their folder, saving copies."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QStandardPaths
from PySide6.QtWidgets import QFileDialog

from distill.files import write_whole
from distill.gui.background_tasks import BackgroundTask
from distill.gui.desktop.dialog_folders import StartFolders
from distill.gui.desktop.show_in_folder import RevealNotices, reveal
from distill.gui.previews.grid_texts import copy_name
from distill.gui.previews.panel import PreviewPanel
from distill.gui.previews.stars import Stars
from distill.gui.user_errors import error_text
from distill.gui.widgets.notices import NoticeBar
from distill.gui.window_part import WindowPart
from distill.runs.preview_files import PreviewSound

#: Topics of the notices about stars and about copies.
STARS_TOPIC, COPIES_TOPIC = "stars", "copies"


class PreviewsPresenter(QObject, WindowPart):
    """Carries out what the panel of previews requests, apart from playing."""

    def __init__(self, previews: PreviewPanel, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._previews, self._notices = previews, notices
        self._save_folder = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.MusicLocation))
        self._starts = StartFolders(self)
        self._reveal_notices = RevealNotices(notices, self)  # also for the other lists
        self.stars = Stars(self)
        self.stars.changed.connect(self._on_stars_changed)
        self.stars.failed.connect(self._on_stars_failed)
        previews.folder_changed.connect(self.stars.open)
        previews.folder_changed.connect(previews.grid.sources.open)
        previews.folder_changed.connect(lambda _folder: self._starts.look(self._save_folder))
        for cells in previews.table.cells:
            cells.starring_requested.connect(self._on_starring_requested)
        previews.reveal_requested.connect(lambda path: reveal(path, self))
        previews.saving_requested.connect(self._on_saving_requested)

    def close(self) -> None:
        """Write pending stars, and end the background work."""
        self.stars.close()
        self._previews.thumbnails.close()

    def _on_starring_requested(self, previews: list[PreviewSound]) -> None:
        self._notices.forget(STARS_TOPIC)
        self.stars.toggle([preview.path for preview in previews])

    def _on_stars_changed(self) -> None:
        self._previews.show_starred(self.stars.paths)

    def _on_stars_failed(self, text: str) -> None:
        self._notices.notify(STARS_TOPIC, text, "warning")

    def _on_saving_requested(self, sound: PreviewSound) -> None:
        name = copy_name(self._previews.grid.sources, sound)
        start = self._starts.start(self._save_folder)
        dialog = QFileDialog(self._previews.window(), self.tr("Save a copy of the sound"), str(start / f"{name}.wav"))
        dialog.setObjectName("saveCopyDialog")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        dialog.setNameFilter(self.tr("WAV sounds (*.wav)"))
        dialog.setDefaultSuffix("wav")
        dialog.fileSelected.connect(lambda target: self._save(sound.path, Path(target)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _save(self, source: Path, target: Path) -> None:
        self._save_folder = target.parent
        self._starts.look(self._save_folder)

        def work(_notify: Callable[[Any], None], _cancelled: threading.Event) -> None:
            with source.open("rb") as original, write_whole(target) as copy:
                shutil.copyfileobj(original, copy)

        def on_failed(exc: Exception) -> None:
            reason = getattr(exc, "strerror", None) or error_text(exc).rstrip(".")
            copy_failure = self.tr("{0} cannot be copied to {1} ({2}). Choose another folder.")
            self._notices.notify(COPIES_TOPIC, copy_failure.format(source.name, target, reason), "error")

        task = BackgroundTask(work, self)
        task.setObjectName("saveCopy")
        task.succeeded.connect(lambda _done: self._notices.forget(COPIES_TOPIC))
        task.failed.connect(on_failed)
        task.start()
