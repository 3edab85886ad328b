"""Carries out what the panel of generated sounds requests: generating, storing, playing, exporting."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from distill.audio.decoding.sound_suffixes import SOUND_SUFFIXES
from distill.audio.file_search import find_sound_files
from distill.errors import DistillError, ModelReplacedError
from distill.generation import export_sounds, generation_service
from distill.generation.export_sounds import ExportRequest
from distill.generation.generation_service import AnyRequest, GenerateRequest, GenerationService, Progress, SoundReady
from distill.generation.history import listed_sounds
from distill.generation.history.listed_sounds import ListedSound, Removed
from distill.gui.background.background_task import BackgroundTask, Work, end_tasks
from distill.gui.background.task_queue import TaskQueue
from distill.gui.desktop.dialog_folders import StartFolders
from distill.gui.desktop.show_in_folder import reveal
from distill.gui.desktop.system_trash import move_to_trash
from distill.gui.engine.engine_protocol import EngineSource
from distill.gui.generate.export_dialog import ExportChoices, ExportDialog
from distill.gui.generate.panel import GeneratePanel
from distill.gui.player.presenter import PlayerPresenter
from distill.gui.sounds.panel import SoundsPanel
from distill.gui.widgets.notices import Level, NoticeAction, NoticeBar
from distill.gui.window_part import WindowPart
from distill.library.model_library import ModelEntry
from distill.playback.player import PlayerState, PlayerStatus
from distill.settings import WindowSettings

#: Topics of the notices about generating, the list of generated sounds, exports, and sounds that were dropped.
TOPIC, LIST_TOPIC, EXPORT_TOPIC, DROP_TOPIC = "making", "generated sounds", "export", "dropped sounds"

#: Folder for deleted sounds, beside the generated ones, on systems and disks without a trash.
TRASH_NAME = "Deleted sounds"


class GeneratePresenter(QObject, WindowPart):
    """Carries out what the panel requests."""

    #: The file of a sound has another name now: old and new path.
    file_moved = Signal(object, object)

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
        self._making: BackgroundTask | None = None
        self._list_tasks = TaskQueue("generated sounds", self, keeps=True)  # reads and changes the list
        self._removed: list[tuple[Removed, ...]] = []
        self._removing: list[bool] = []  # for each deletion under way, the oldest first: whether it is undone at once
        self._wants_first = False  # the first sound of the batch is played
        self._ready = self._count = 0  # sounds of the batch
        self._is_closed = False
        self.choices, self._starts = ExportChoices(), StartFolders(self)
        history = panel.history
        panel.making_requested.connect(self.make)
        panel.cancelling_requested.connect(self.cancel)
        panel.choosing_requested.connect(self._on_choosing_requested)
        panel.model_changed.connect(self._on_model_changed)
        panel.appeared.connect(self.refresh)
        panel.appeared.connect(lambda: self._starts.look(self.choices.folder))
        panel.transform.changed.connect(self._look_at_sources)
        history.view.playing_requested.connect(playing.play)
        history.view.starring_requested.connect(self._on_starring_requested)
        history.view.rejecting_requested.connect(self._on_rejecting_requested)
        history.remaking_requested.connect(lambda sound: self._on_remaking_requested(sound))
        history.table.renamed.connect(self._on_renamed)
        history.settings_requested.connect(lambda sound: panel.show_recipe(sound.recipe))
        history.reveal_requested.connect(lambda path: reveal(path, self))
        history.exporting_requested.connect(self._on_exporting_requested)
        history.deleting_requested.connect(self._on_deleting_requested)
        history.view.undo_requested.connect(self.undo)
        self._browser = browser
        browser.view.selectionModel().selectionChanged.connect(self._show_selected)
        browser.table.modelReset.connect(self._show_selected)
        history.chosen_changed.connect(panel.transform.show_chosen)
        playing.playback.status_changed.connect(self._on_status)
        if panel.isVisible():  # its page was open before the presenter existed
            self.refresh()

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
        self._list_tasks.close()

    # Generating.

    def make(self, request: AnyRequest) -> None:
        """Generate or transform with the model that is shown."""
        entry = self.panel.entry
        if entry is None or self._making is not None:
            return
        self._wants_first = True
        self._ready, self._count = 0, request.count if isinstance(request, GenerateRequest) else len(request.sources)
        text = self.tr("Generating…") if isinstance(request, GenerateRequest) else self.tr("Transforming…")
        self._start(lambda notify, cancel: self._service.make(request, entry, notify, cancel), text)

    def cancel(self) -> None:
        """Stop generating; the sounds that are ready stay.

        The panel is ready at once.  The task ends after the sounds that it is computing, which are dropped.
        """
        if self._making is not None:
            self._making.cancel()
            self._on_made(self._making)

    def _on_remaking_requested(self, sound: ListedSound, takes_nearest: bool = False) -> None:
        if self._making is not None:
            return
        self._wants_first = True
        self._ready, self._count = 0, 1
        work = partial(generation_service.make_again, sound.entry, takes_nearest=takes_nearest)
        task = self._start(work, self.tr("Generating it again…"))
        task.failed.connect(lambda error: self._on_remaking_failed(sound, error))

    def _on_remaking_failed(self, sound: ListedSound, error: Exception) -> None:
        if isinstance(error, ModelReplacedError):  # a button for the notice of `_on_failed`
            action = NoticeAction(self.tr("Generate a similar one"), lambda: self._on_remaking_requested(sound, True))
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
        self._making = task
        self.panel.show_busy(True, text)
        task.start()
        return task

    def _on_progress(self, news: SoundReady | Progress) -> None:
        if isinstance(news, Progress):
            self.panel.generate_button.show_share(news.done)
            return
        self.panel.history.add(news.sound)
        self._ready += 1
        if self._count > 1:
            self.panel.generate_button.show_doing(self.tr("{0} of {1} ready").format(self._ready, self._count))
        if self._wants_first:
            self._wants_first = False
            self.panel.history.go_to(news.sound.recipe.id)
            if self._playing.playback.status.state is not PlayerState.PLAYING:
                self._playing.play(news.sound.path)

    def _on_made(self, task: BackgroundTask) -> None:
        if task is not self._making:  # it was cancelled, and may have stored one more sound
            if not self._is_closed:
                self.refresh()
            return
        self._making = None
        if not self._is_closed:
            self.panel.show_busy(False)
            if self.panel.entry is None:
                self._service.forget_model()
            self.refresh()  # sounds stored just before a cancel were not reported

    def _on_model_changed(self, _entry: ModelEntry | None) -> None:
        self._notices.forget(TOPIC)
        if self._making is None:
            self._service.forget_model()

    def _on_choosing_requested(self) -> None:
        panel = self.panel
        sources = panel.transform.sources
        start = self._starts.start(sources[0].parent) if sources else Path.home()
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
            self._starts.look(sources[0].parent)

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

    # The list.

    def refresh(self) -> None:
        """Read the history again."""
        self._keep(lambda _notify, _cancel: listed_sounds.list_sounds(), self._on_listed)

    def undo(self) -> None:
        """Bring back what was deleted last, also if the deletion is still under way."""
        newest = next((n for n in reversed(range(len(self._removing))) if not self._removing[n]), None)
        if newest is not None:
            self._removing[newest] = True
        elif self._removed:
            self._notices.forget(LIST_TOPIC)
            self._bring_back(self._removed.pop())

    def _bring_back(self, removed: tuple[Removed, ...]) -> None:
        self._keep(lambda _notify, _cancel: listed_sounds.bring_back(removed))
        self.refresh()

    def _on_starring_requested(self, sounds: list[ListedSound]) -> None:
        starred = not all(s.entry.starred for s in sounds)
        self._notices.forget(LIST_TOPIC)
        self.panel.history.table.set_starred([s.recipe.id for s in sounds], starred)
        self._keep(lambda _notify, _cancel: listed_sounds.set_stars([s.entry for s in sounds], starred))

    def _on_rejecting_requested(self, sounds: list[ListedSound]) -> None:
        rejected = not all(s.entry.rejected for s in sounds)
        self._notices.forget(LIST_TOPIC)
        self.panel.history.table.set_rejected([s.recipe.id for s in sounds], rejected)
        self._keep(lambda _notify, _cancel: listed_sounds.set_rejected([s.entry for s in sounds], rejected))

    def _on_renamed(self, sound: ListedSound, name: str) -> None:
        self._notices.forget(LIST_TOPIC)
        self._keep(
            lambda _notify, _cancel: listed_sounds.rename(sound.entry, name),
            lambda path: self._on_file_moved(sound, path),
        )

    def _on_file_moved(self, sound: ListedSound, path: Path) -> None:
        table = self.panel.history.table
        row = table.row_of(sound.recipe.id)
        before = table.item(row).path if row >= 0 else sound.path  # another renaming may have come before this one
        table.show_path(sound.recipe.id, path)
        form = self.panel.transform
        if before.absolute() in form.sources:
            form.set_sources([path if source == before.absolute() else source for source in form.sources])
        self.file_moved.emit(before, path)

    def _on_deleting_requested(self, sounds: list[ListedSound]) -> None:
        if self._playing.playback.status.path in [s.path for s in sounds]:
            self._playing.playback.stop()
        self._removing.append(False)
        self.panel.history.table.remove([s.recipe.id for s in sounds])
        self._keep(
            lambda _notify, _cancel: listed_sounds.remove([s.entry for s in sounds], _to_trash), self._on_removed
        )

    def _on_removed(self, outcome: tuple[tuple[Removed, ...], DistillError | None]) -> None:
        removed, error = outcome
        is_undone = self._removing.pop(0)
        if error is not None:
            self._on_keeping_failed(error)
        if not removed:
            return
        if is_undone:
            self._bring_back(removed)
            return
        self._removed.append(removed)
        name = removed[0].sound.path.name
        text = (
            self.tr("{0} is in the trash now.").format(name)
            if len(removed) == 1
            else self.tr("{0} sounds are in the trash now.").format(len(removed))
        )
        level: Level = "info"
        if error is not None:
            text, level = f"{error} {text}", "error"
        self._notices.notify(LIST_TOPIC, text, level, NoticeAction(self.tr("Undo"), self.undo))

    def _on_listed(self, sounds: tuple[ListedSound, ...]) -> None:
        if not self._list_tasks.has_pending:  # otherwise a newer list follows
            self.panel.history.show_sounds(sounds)

    def _keep(self, work: Work, on_done: Callable[[Any], None] | None = None) -> None:
        """Change or read the history in the background, after the earlier requests."""
        self._list_tasks.submit(work, on_done, self._on_keeping_failed)

    def _on_keeping_failed(self, error: Exception) -> None:
        self._notices.notify_error(LIST_TOPIC, error)
        self.refresh()  # the list shows the stored state again

    # Playing.

    def _on_status(self, status: PlayerStatus) -> None:
        self.panel.history.show_playing(status.path if status.state is PlayerState.PLAYING else None)

    # Export.

    def _on_exporting_requested(self, sounds: list[ListedSound]) -> None:
        dialog = ExportDialog([s.entry for s in sounds], self.choices, self._starts, self.panel.window())
        dialog.export_requested.connect(self.export)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def export(self, request: ExportRequest) -> None:
        """Export generated sounds for other programs."""
        self._notices.forget(EXPORT_TOPIC)
        task = BackgroundTask(lambda notify, cancel: export_sounds.export(request, notify, cancel), self)
        task.setObjectName("export")
        task.succeeded.connect(self._on_exported)
        task.failed.connect(lambda error: self._notices.notify_error(EXPORT_TOPIC, error))
        task.start()

    def _on_exported(self, files: list[Path]) -> None:
        if files:
            text = (
                self.tr("Exported {0} to {1}.").format(files[0].name, files[0].parent)
                if len(files) == 1
                else self.tr("Exported {0} sounds to {1}.").format(len(files), files[0].parent)
            )
            action = NoticeAction(self.tr("Show in folder"), lambda: reveal(files[0], self))
            self._notices.notify(EXPORT_TOPIC, text, "info", action)

    def _on_failed(self, error: Exception) -> None:
        self._notices.notify_error(TOPIC, error)


def _to_trash(path: Path) -> Path | None:
    return move_to_trash(path, path.parent / TRASH_NAME)
