"""Carries out what the page of models requests: lists, and changes with undo."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoStack

from distill.errors import LibraryError
from distill.events import TrainingCompleteEvent
from distill.gui.background_tasks import end_tasks
from distill.gui.desktop.show_in_folder import reveal
from distill.gui.library.background_library import BackgroundLibrary, Change
from distill.gui.library.import_and_export import ModelFiles
from distill.gui.library.model_deletion import ModelDeletion
from distill.gui.library.model_sounds_presenter import ModelSoundsPresenter
from distill.gui.library.page import ModelsPage
from distill.gui.library.undo_command import LibraryChange
from distill.gui.player.presenter import PlayerPresenter
from distill.gui.widgets.notices import NoticeAction, NoticeBar
from distill.gui.widgets.plain_text import in_menu
from distill.gui.window_part import WindowPart
from distill.library.model_library import ModelEntry
from distill.names import checked_name
from distill.playback.player import PlayerState, PlayerStatus
from distill.settings import WindowSettings

#: Topic of the notices about the library as a whole.
TOPIC = "models"
#: Topic of the notice about the model of a run that has ended.
NEW_TOPIC = "new model"


class ModelsPresenter(QObject, WindowPart):
    """Carries out what the page asks for, and shows what the library holds."""

    #: Show the page, because a model was requested.
    page_requested = Signal()
    #: Another model is chosen, or the chosen one has changed: a `ModelEntry` that can be used, or None.
    model_chosen = Signal(object)
    #: The library was read: its entries.
    listed = Signal(object)

    def __init__(self, page: ModelsPage, playing: PlayerPresenter, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._page, self._notices = page, notices
        self.worker = BackgroundLibrary(self)
        self.undo_stack = QUndoStack(self)
        self._listed_mtimes: dict[Path, int] | None = None  # what was there when it was listed last
        self._new_models: dict[Path, ModelEntry] = {}  # since the end of the last run
        self.listening = ModelSoundsPresenter(page, playing.play, notices, self)
        #: Where models are that came back under another name, by the file and the id that they had before.
        self._moved_models: dict[tuple[Path, str], Path] = {}
        self._unsaved_notes: dict[Path, str] = {}  # typed, but refused by the disk; tried again at the next chance
        self.files = ModelFiles(page, self.worker, self.show_model, notices, self)
        self.deletion = ModelDeletion(
            page, self.worker, self.undo_stack, self._path_of, self._note_moved, notices, self
        )
        self.worker.listed.connect(self._on_listed)
        self.worker.reading.connect(page.list.show_reading)
        self.worker.failed.connect(self._on_failed)
        page.list.current_changed.connect(self._on_current_changed)
        page.list.hear_requested.connect(self.listening.hear)
        page.list.import_requested.connect(self.files.choose_imports)
        page.detail.tags_changed.connect(self._on_tagged)
        page.detail.notes_changed.connect(self._on_noted)
        page.detail.model_sounds.play_requested.connect(playing.play)
        page.detail.model_sounds.stop_requested.connect(playing.playback.stop)
        playing.playback.status_changed.connect(self._on_status)
        for source in (page.list, page.detail):
            source.renamed.connect(self._on_renamed)
            source.starred.connect(self._on_starred)
            source.reveal_requested.connect(lambda entry: reveal(entry.path, self))
            source.export_requested.connect(self.files.choose_export)
            source.delete_requested.connect(self.deletion.delete)

    def refresh(self) -> None:
        """List the library anew, in the background."""
        self.worker.refresh()

    def await_model(self, ending: TrainingCompleteEvent | None = None) -> None:
        """List the library after the end of a run, and report its model once it is listed.

        ``ending`` is how it ended; None for a run that is marked as finished.
        """
        self._new_models.clear()
        is_paused = ending is not None and ending.outcome == "stopped"
        known = frozenset(self._listed_mtimes or ())
        self.worker.do(
            lambda _library: None, lambda _nothing: self._report_paused(known) if is_paused else self._report_finished()
        )

    def show_model(self, path: Path) -> None:
        """Bring a model to the front."""
        self.page_requested.emit()
        self._page.list.show_model(path)

    def _on_status(self, status: PlayerStatus) -> None:
        self._page.detail.model_sounds.show_playing(status.path if status.state is PlayerState.PLAYING else None)

    def close(self) -> None:
        """Store what was typed, and wait for the requests.  Never raises: a failure is logged."""
        self._request_unsaved_notes()
        self.worker.close()
        end_tasks(self)

    def restore(self, settings: WindowSettings) -> None:
        """Show or hide the details of the model as in the last session, and begin with the model played last."""
        self._page.list.first_choice = Path(settings.played_model) if settings.played_model else None
        self._page.detail.info.setChecked(settings.model_info)

    def save(self, settings: WindowSettings) -> None:
        """Keep whether the details of the model are shown."""
        settings.model_info = self._page.detail.info.isChecked()

    def flush(self) -> None:
        """Store what was typed, and wait until it is stored.

        Raises
        ------
        LibraryError
            Notes cannot be stored.
        """
        self._request_unsaved_notes()
        self.worker.finish_requests()
        names = [entry.shown_name for entry in self._page.list.table.items if entry.path in self._unsaved_notes]
        if names:
            text = self.tr("The notes on “{0}” cannot be written to the disk.")
            raise LibraryError(text.format("”, “".join(names)))

    def _request_unsaved_notes(self) -> None:
        self._page.detail.commit()
        entries = {entry.path: entry for entry in self._page.list.table.items}
        for path, notes in list(self._unsaved_notes.items()):
            del self._unsaved_notes[path]
            if path in entries:  # otherwise it was deleted meanwhile
                self._on_noted(entries[path], notes)

    # Changes, each with undo.

    def _on_renamed(self, entry: ModelEntry, name: str) -> None:
        self._change(
            self.tr("Rename {0}").format(in_menu(entry.name)),
            lambda library: library.rename(self._path_of(entry), checked_name(name)),
            lambda library: library.rename(self._path_of(entry), entry.name),
        )

    def _on_starred(self, entry: ModelEntry, wanted: bool) -> None:
        self._change(
            self.tr("Star {0}").format(in_menu(entry.name))
            if wanted
            else self.tr("Remove Star from {0}").format(in_menu(entry.name)),
            lambda library: library.set_star(self._path_of(entry), wanted),
            lambda library: library.set_star(self._path_of(entry), entry.starred),
        )

    def _on_tagged(self, entry: ModelEntry, tags: tuple[str, ...]) -> None:
        self._change(
            self.tr("Tags of {0}").format(in_menu(entry.name)),
            lambda library: library.set_tags(self._path_of(entry), tags),
            lambda library: library.set_tags(self._path_of(entry), entry.tags),
        )

    def _on_noted(self, entry: ModelEntry, notes: str) -> None:
        if entry.path in self._unsaved_notes:  # these are newer
            self._unsaved_notes[entry.path] = notes
        self._change(
            self.tr("Notes on {0}").format(in_menu(entry.name)),
            lambda library: library.set_notes(self._path_of(entry), notes),
            lambda library: library.set_notes(self._path_of(entry), entry.notes),
            on_failed=lambda: self._keep_notes(entry.path, notes),
            on_done=lambda _nothing: self._unsaved_notes.pop(entry.path, None),
        )

    def _keep_notes(self, path: Path, notes: str) -> None:
        """Keep notes that could not be stored, in the field if it shows their model."""
        self._unsaved_notes[path] = notes
        if self._page.detail.entry is not None and self._page.detail.entry.path == path:
            self._page.detail.show_unsaved_notes(notes)

    def _path_of(self, entry: ModelEntry) -> Path:
        """Return where a model of the undo stack is now."""
        return self._moved_models.get((entry.path, entry.model_id), entry.path)

    def _change(
        self,
        text: str,
        do: Change,
        undo: Change,
        on_failed: Callable[[], object] | None = None,
        on_done: Callable[[Any], object] | None = None,
    ) -> None:
        on_failed = on_failed or self._page.detail.show_stored
        self.undo_stack.push(LibraryChange(text, self.worker, do, undo, on_done, on_failed=on_failed))

    def _note_moved(self, entry: ModelEntry, before: Path, path: Path) -> None:
        """Note that a model came back under another name: its file name was taken by then."""
        keys = [key for key, known in self._moved_models.items() if key[1] == entry.model_id and known == before]
        self._moved_models |= dict.fromkeys([*keys, (before, entry.model_id)], path)

    # What the library says, and which model is chosen.

    def _on_current_changed(self, entry: ModelEntry | None) -> None:
        before = self._page.detail.entry
        notes = self._unsaved_notes.get(entry.path) if entry is not None else None
        self._page.detail.show_model(entry)
        if notes is not None:
            self._page.detail.show_unsaved_notes(notes)
        usable = entry if entry is not None and entry.problem is None else None
        self.model_chosen.emit(usable)
        if entry is not None and self._page.isVisible():
            self._page.list.table.remove_new_mark(entry.path)
        is_same = before is not None and usable is not None and before.path == usable.path
        if not (is_same and before is not None and usable is not None and before.mtime_ns == usable.mtime_ns):
            self.listening.look_for_sounds(usable)

    def _on_listed(self, entries: tuple[ModelEntry, ...]) -> None:
        before, self._listed_mtimes = self._listed_mtimes, {entry.path: entry.mtime_ns for entry in entries}
        self._page.list.show_entries(entries)
        self.listed.emit(entries)
        if before != self._listed_mtimes:
            self.listening.tidy(entries)
        if before is None:
            return
        new_models = [entry for entry in entries if entry.problem is None and before.get(entry.path) != entry.mtime_ns]
        self._page.list.table.mark_rows_new([entry.path for entry in new_models])
        self._new_models |= {entry.path: entry for entry in new_models}

    def note_seen(self) -> None:
        """Dismiss the notice about the new model."""
        self._notices.forget(NEW_TOPIC)

    def _report_finished(self) -> None:
        """Report the model of the run that has ended."""
        self._report_newest(tuple(self._new_models.values()), self.tr("The model “{0}” is ready."))

    def _report_paused(self, known: frozenset[Path]) -> None:
        """Report the model of the run that was paused, unless it was there before: it is not ready."""
        new_models = tuple(entry for path, entry in self._new_models.items() if path not in known)
        self._report_newest(new_models, self.tr("Paused. The model “{0}”, as it is now, is on the Models page."))

    def _report_newest(self, new_models: Sequence[ModelEntry], text: str) -> None:
        if not new_models:
            return
        newest = max(new_models, key=lambda entry: entry.mtime_ns)
        self._notices.notify(
            NEW_TOPIC, text.format(newest.shown_name), "info",
            NoticeAction(self.tr("Generate new sounds"), lambda: self.show_model(newest.path)),
        )  # fmt: skip

    def _on_failed(self, error: Exception) -> None:
        self._notices.notify_error(TOPIC, error)
