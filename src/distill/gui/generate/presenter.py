"""Carries out what the forms request: generating and transforming, again too, and taking sounds to transform."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from distill.audio.decoding.sound_suffixes import SOUND_SUFFIXES
from distill.audio.sound_scan import find_sound_files
from distill.errors import ModelReplacedError
from distill.generation import generation_service
from distill.generation.generation_service import AnyRequest, GenerateRequest, GenerationService, Progress, SoundReady
from distill.generation.history.sound_history import ListedSound
from distill.gui.background_tasks import BackgroundTask, Work, end_tasks
from distill.gui.desktop.dialog_folders import StartFolders
from distill.gui.engine.engine_protocol import EngineSource
from distill.gui.generate.export_dialog import ExportChoices
from distill.gui.generate.export_presenter import SoundExportPresenter
from distill.gui.generate.history_presenter import HistoryPresenter
from distill.gui.generate.panel import GeneratePanel
from distill.gui.player.presenter import PlayerPresenter
from distill.gui.sounds.panel import SoundsPanel
from distill.gui.widgets.notices import NoticeAction, NoticeBar
from distill.gui.window_part import WindowPart
from distill.library.model_library import ModelEntry
from distill.playback.player import PlayerState
from distill.settings import WindowSettings

#: Topics of the notices about generating, and about sounds that were dropped.
TOPIC, DROP_TOPIC = "making", "dropped sounds"


class GeneratePresenter(QObject, WindowPart):
    """Carries out what the panel requests."""

    def __init__(
        self,
        engine: EngineSource,
        panel: GeneratePanel,
        playing: PlayerPresenter,
        browser: SoundsPanel,
        notices: NoticeBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._engine, self.panel, self._playing, self._notices = engine, panel, playing, notices
        self._service = GenerationService()
        self._generating: BackgroundTask | None = None
        self._plays_first_sound = False  # of the batch
        self._ready_count = self._batch_count = 0  # sounds of the batch
        self._is_closed = False
        self.choices, self._dialog_folders = ExportChoices(), StartFolders(self)
        history = panel.history
        self.history = HistoryPresenter(history, playing, notices, self)
        self.history.file_moved.connect(self._on_file_moved)
        self._exporting = SoundExportPresenter(history, panel, self.choices, self._dialog_folders, notices, self)
        panel.making_requested.connect(self.make)
        panel.cancelling_requested.connect(self.cancel)
        panel.choosing_requested.connect(self._on_choosing_requested)
        panel.model_changed.connect(self._on_model_changed)
        panel.appeared.connect(self.history.refresh)
        panel.appeared.connect(lambda: self._dialog_folders.look(self.choices.folder))
        panel.transform.changed.connect(self._look_at_sources)
        history.remaking_requested.connect(lambda sound: self._generate_again(sound))
        history.settings_requested.connect(lambda sound: panel.show_recipe(sound.recipe))
        self._browser = browser
        browser.view.selectionModel().selectionChanged.connect(self._show_selected)
        browser.table.modelReset.connect(self._show_selected)
        history.chosen_changed.connect(panel.transform.show_chosen)
        if panel.isVisible():  # its page was open before the presenter existed
            self.history.refresh()

    def restore(self, settings: WindowSettings) -> None:
        """Set the panel as it was at the end of the last session."""
        self.panel.restore(settings.making)
        self.choices.restore(settings.making)

    def save(self, settings: WindowSettings) -> None:
        """Keep how the panel is set."""
        settings.making = {**self.panel.settings(), **self.choices.to_dict()}

    def close(self) -> None:
        """End what runs, and carry out the pending changes of the list.  Never raises: a failure is logged."""
        self._is_closed = True
        self.panel.history.thumbnails.close()
        self.cancel()
        end_tasks(self)
        self.history.close()

    # Generating.

    def make(self, request: AnyRequest) -> None:
        """Generate or transform with the model that is shown."""
        entry = self.panel.entry
        if entry is None or self._generating is not None:
            return
        self._plays_first_sound, self._ready_count = True, 0
        self._batch_count = request.count if isinstance(request, GenerateRequest) else len(request.sources)
        text = self.tr("Generating…") if isinstance(request, GenerateRequest) else self.tr("Transforming…")
        self._start(lambda notify, cancel: self._service.make(request, entry, notify, cancel), text)

    def cancel(self) -> None:
        """Stop generating; the sounds that are ready stay.

        The panel is ready at once.  The task ends after the sounds that it is computing, which are dropped.
        """
        if self._generating is not None:
            self._generating.cancel()
            self._on_made(self._generating)

    def _generate_again(self, sound: ListedSound, takes_nearest: bool = False) -> None:
        """Generate a sound of the history once more: exactly, or the nearest that its model can do now."""
        if self._generating is not None:
            return
        self._plays_first_sound = True
        self._ready_count, self._batch_count = 0, 1
        work = partial(generation_service.make_again, sound.entry, takes_nearest=takes_nearest)
        task = self._start(work, self.tr("Generating it again…"))
        task.failed.connect(lambda error: self._on_generating_again_failed(sound, error))

    def _on_generating_again_failed(self, sound: ListedSound, error: Exception) -> None:
        if isinstance(error, ModelReplacedError):  # a button for the notice of `_on_failed`
            action = NoticeAction(self.tr("Generate a similar one"), lambda: self._generate_again(sound, True))
            self._notices.notify(TOPIC, str(error), "warning", action)

    def _start(self, work: Work, text: str) -> BackgroundTask:
        self._notices.forget(TOPIC)
        engine = self._engine

        def with_engine(notify: Callable[[Any], None], cancel: threading.Event) -> None:
            engine()  # waits for the import of torch
            work(notify, cancel)

        task = BackgroundTask(with_engine, self)
        task.setObjectName("making")
        task.progressed.connect(self._on_progress)
        task.failed.connect(self._on_failed)
        task.finished.connect(lambda: self._on_made(task))
        self._generating = task
        self.panel.show_busy(True, text)
        task.start()
        return task

    def _on_progress(self, news: SoundReady | Progress) -> None:
        if isinstance(news, Progress):
            self.panel.generate_button.show_share(news.done)
            return
        self.panel.history.add(news.sound)
        self._ready_count += 1
        if self._batch_count > 1:
            self.panel.generate_button.show_ready_count(self._ready_count, self._batch_count)
        if self._plays_first_sound:
            self._plays_first_sound = False
            self.panel.history.go_to(news.sound.recipe.id)
            if self._playing.playback.status.state is not PlayerState.PLAYING:
                self._playing.play(news.sound.path)

    def _on_made(self, task: BackgroundTask) -> None:
        if task is not self._generating:  # it was cancelled, and may have stored one more sound
            if not self._is_closed:
                self.history.refresh()
            return
        self._generating = None
        if not self._is_closed:
            self.panel.show_busy(False)
            if self.panel.entry is None:
                self._service.forget_model()
            self.history.refresh()  # sounds stored just before a cancel were not reported

    def _on_model_changed(self, _entry: ModelEntry | None) -> None:
        self._notices.forget(TOPIC)
        if self._generating is None:
            self._service.forget_model()

    def _on_choosing_requested(self) -> None:
        panel = self.panel
        sources = panel.transform.sources
        start = self._dialog_folders.start(sources[0].parent) if sources else Path.home()
        dialog = QFileDialog(panel.window(), self.tr("Choose sounds to transform"), str(start))
        dialog.setObjectName("chooseSourceDialog")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        patterns = " ".join(f"*{suffix}" for suffix in sorted(SOUND_SUFFIXES))
        dialog.setNameFilters([self.tr("Sounds ({0})").format(patterns), self.tr("All files (*)")])
        dialog.filesSelected.connect(lambda files: panel.take_sources([Path(file) for file in files]))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _look_at_sources(self) -> None:
        if sources := self.panel.transform.sources:
            self._dialog_folders.look(sources[0].parent)

    def take_drop(self, paths: Sequence[Path]) -> None:
        """Select the sounds among these files, and in these folders, for transforming."""
        task = BackgroundTask(lambda _notify, cancel: find_sound_files(paths, cancel_event=cancel), self)
        task.setObjectName("dropped sounds")
        task.succeeded.connect(self._on_drop_searched)
        task.start()

    def _on_drop_searched(self, files: list[Path]) -> None:
        if sounds := [path for path in files if path.suffix.lower() in SOUND_SUFFIXES]:
            self._notices.forget(DROP_TOPIC)
            self.panel.take_sources(sounds)
        else:
            text = self.tr("There is no sound in what was dropped. Drop audio files, or a folder of them.")
            self._notices.notify(DROP_TOPIC, text, "warning")

    def _show_selected(self) -> None:
        rows = self._browser.view.selected_rows()
        self.panel.transform.show_selected([row.path for row in rows if row.entry is not None])

    def _on_file_moved(self, before: Path, path: Path) -> None:
        form = self.panel.transform
        if before.absolute() in form.sources:
            form.set_sources([path if source == before.absolute() else source for source in form.sources])

    def _on_failed(self, error: Exception) -> None:
        self._notices.notify_error(TOPIC, error)
