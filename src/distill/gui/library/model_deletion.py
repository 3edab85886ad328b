"""Moves models to the trash, says where they are, and brings them back."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject
from PySide6.QtGui import QUndoStack

from distill.gui.library.background_library import DELETED_MODELS_FOLDER, BackgroundLibrary
from distill.gui.library.page import ModelsPage
from distill.gui.library.undo_command import LibraryChange
from distill.gui.widgets.notices import NoticeAction, NoticeBar
from distill.gui.widgets.plain_text import in_menu
from distill.library.model_library import Deletion, ModelEntry, ModelLibrary

translate = QCoreApplication.translate

#: Topic of the notice about a model that was deleted.
TOPIC = "deleted model"


class ModelDeletion(QObject):
    """Deletes models, with undo.

    Parameters
    ----------
    path_of
        Returns where a model is now.
    note_moved
        Is called with a model that came back, where it was before, and where it is now.
    """

    def __init__(
        self,
        page: ModelsPage,
        worker: BackgroundLibrary,
        undo_stack: QUndoStack,
        path_of: Callable[[ModelEntry], Path],
        note_moved: Callable[[ModelEntry, Path, Path], None],
        notices: NoticeBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._page, self._worker, self._undo_stack, self._notices = page, worker, undo_stack, notices
        self._path_of, self._note_moved = path_of, note_moved
        self._leaving: set[Path] = set()  # models on their way to the trash; the list still has them

    def delete(self, entry: ModelEntry) -> None:
        """Move a model to the trash; undo brings it back.  Another request for it changes nothing."""
        if entry.path in self._leaving:
            return
        self._leaving.add(entry.path)
        deletions: list[Deletion] = []

        def delete_model(library: ModelLibrary) -> Deletion:
            deletions.append(library.delete(self._path_of(entry)))
            return deletions[-1]

        def restore_model(library: ModelLibrary) -> ModelEntry:
            deleted_path, restored = self._path_of(entry), library.restore(deletions.pop())
            if restored.path != deleted_path:  # another model has its file name by now
                self._note_moved(entry, deleted_path, restored.path)
            return restored

        deletion_command = LibraryChange(
            translate("ModelsPresenter", "Delete {0}").format(in_menu(entry.name)),
            self._worker,
            delete_model,
            restore_model,
            lambda deletion: self._report_deleted(deletion, entry, deletion_command),
            self._on_restored,
            lambda: self._on_not_deleted(entry),
        )
        self._undo_stack.push(deletion_command)

    def _on_not_deleted(self, entry: ModelEntry) -> None:
        self._leaving.discard(entry.path)
        self._notices.forget(TOPIC)  # its button would do nothing

    def _report_deleted(self, deletion: Deletion, entry: ModelEntry, command: LibraryChange) -> None:
        self._leaving.discard(entry.path)
        deleted_model = deletion.in_trash
        is_in_models_folder = deleted_model is not None and deleted_model.parent.name == DELETED_MODELS_FOLDER
        message = (
            translate("ModelsPresenter", "“{0}” is in the folder “{1}” of your models: there is no trash here.").format(
                entry.shown_name, DELETED_MODELS_FOLDER
            )
            if is_in_models_folder
            else translate("ModelsPresenter", "“{0}” is in the trash.").format(entry.shown_name)
        )
        self._notices.notify(
            TOPIC,
            message,
            "info",
            NoticeAction(translate("ModelsPresenter", "Undo"), lambda: self._undo_deletion(command))
            if deleted_model
            else None,
        )

    def _on_restored(self, restored: ModelEntry) -> None:
        self._notices.forget(TOPIC)
        self._page.list.show_model(restored.path)

    def _undo_deletion(self, deletion_command: LibraryChange) -> None:
        """Undo a deletion, and before it all later changes, as an undo stack requires."""
        undoable = range(self._undo_stack.index())
        position = next((n for n in undoable if self._undo_stack.command(n) is deletion_command), None)
        if position is not None:
            self._undo_stack.setIndex(position)
