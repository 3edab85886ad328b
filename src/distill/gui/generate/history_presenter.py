"""Keeps the list of generated sounds: reading, stars, rejections, names, the trash, and what brings sounds back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, Signal

from distill.errors import DistillError
from distill.generation.history import sound_history
from distill.generation.history.sound_history import ListedSound, Removed
from distill.gui.background_tasks import TaskQueue, Work
from distill.gui.desktop.show_in_folder import reveal
from distill.gui.desktop.system_trash import move_to_trash
from distill.gui.generate.history_panel import HistoryPanel
from distill.gui.player.presenter import PlayerPresenter
from distill.gui.widgets.notices import Level, NoticeAction, NoticeBar
from distill.playback.player import PlayerState, PlayerStatus

translate = QCoreApplication.translate

#: Topic of the notices about the list of generated sounds.
TOPIC = "generated sounds"

#: Folder for deleted sounds, beside the generated ones, on systems and disks without a trash.
DELETED_SOUNDS_FOLDER = "Deleted sounds"


class HistoryPresenter(QObject):
    """Carries out what the list of generated sounds requests, one change after the other."""

    #: The file of a sound has another name now: old and new path.
    file_moved = Signal(object, object)

    def __init__(self, panel: HistoryPanel, playing: PlayerPresenter, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._panel, self._playing, self._notices = panel, playing, notices
        self._list_tasks = TaskQueue("generated sounds", self, keeps=True)  # reads and changes the list
        self._deletions_to_undo: list[tuple[Removed, ...]] = []
        #: For each deletion under way, the oldest first: whether it is undone at once.
        self._are_deletions_undone: list[bool] = []
        panel.view.playing_requested.connect(playing.play)
        panel.view.starring_requested.connect(self._on_starring_requested)
        panel.view.rejecting_requested.connect(self._on_rejecting_requested)
        panel.table.renamed.connect(self._on_renamed)
        panel.reveal_requested.connect(lambda path: reveal(path, self))
        panel.deleting_requested.connect(self._on_deleting_requested)
        panel.view.undo_requested.connect(self.undo)
        playing.playback.status_changed.connect(self._on_status)

    def close(self) -> None:
        """Carry out the pending changes of the list.  Never raises: a failure is logged."""
        self._list_tasks.close()

    def refresh(self) -> None:
        """Read the history again."""
        self._change_history(lambda _notify, _cancel: sound_history.list_sounds(), self._on_listed)

    def undo(self) -> None:
        """Bring back what was deleted last, also if the deletion is still under way."""
        are_undone = self._are_deletions_undone
        newest_deletion = next((n for n in reversed(range(len(are_undone))) if not are_undone[n]), None)
        if newest_deletion is not None:
            are_undone[newest_deletion] = True
        elif self._deletions_to_undo:
            self._notices.forget(TOPIC)
            self._bring_back(self._deletions_to_undo.pop())

    def _bring_back(self, removed: tuple[Removed, ...]) -> None:
        self._change_history(lambda _notify, _cancel: sound_history.bring_back(removed))
        self.refresh()

    def _on_starring_requested(self, sounds: list[ListedSound]) -> None:
        starred = not all(s.entry.starred for s in sounds)
        self._notices.forget(TOPIC)
        self._panel.table.show_starred([s.recipe.id for s in sounds], starred)
        self._change_history(lambda _notify, _cancel: sound_history.set_stars([s.entry for s in sounds], starred))

    def _on_rejecting_requested(self, sounds: list[ListedSound]) -> None:
        rejected = not all(s.entry.rejected for s in sounds)
        self._notices.forget(TOPIC)
        self._panel.table.show_rejected([s.recipe.id for s in sounds], rejected)
        self._change_history(lambda _notify, _cancel: sound_history.set_rejected([s.entry for s in sounds], rejected))

    def _on_renamed(self, sound: ListedSound, name: str) -> None:
        self._notices.forget(TOPIC)
        self._change_history(
            lambda _notify, _cancel: sound_history.rename(sound.entry, name),
            lambda path: self._on_file_moved(sound, path),
        )

    def _on_file_moved(self, sound: ListedSound, path: Path) -> None:
        table = self._panel.table
        row = table.row_of(sound.recipe.id)
        before = table.item(row).path if row >= 0 else sound.path  # another renaming may have come before this one
        table.show_path(sound.recipe.id, path)
        self.file_moved.emit(before, path)

    def _on_deleting_requested(self, sounds: list[ListedSound]) -> None:
        if self._playing.playback.status.path in [s.path for s in sounds]:
            self._playing.playback.stop()
        self._are_deletions_undone.append(False)
        self._panel.table.remove([s.recipe.id for s in sounds])
        self._change_history(
            lambda _notify, _cancel: sound_history.remove([s.entry for s in sounds], _to_trash), self._on_removed
        )

    def _on_removed(self, outcome: tuple[tuple[Removed, ...], DistillError | None]) -> None:
        removed, error = outcome
        is_undone = self._are_deletions_undone.pop(0)
        if error is not None:
            self._on_history_failed(error)
        if not removed:
            return
        if is_undone:
            self._bring_back(removed)
            return
        self._deletions_to_undo.append(removed)
        name = removed[0].sound.path.name
        text = (
            translate("GeneratePresenter", "{0} is in the trash now.").format(name)
            if len(removed) == 1
            else translate("GeneratePresenter", "{0} sounds are in the trash now.").format(len(removed))
        )
        level: Level = "info"
        if error is not None:
            text, level = f"{error} {text}", "error"
        self._notices.notify(TOPIC, text, level, NoticeAction(translate("GeneratePresenter", "Undo"), self.undo))

    def _on_listed(self, sounds: tuple[ListedSound, ...]) -> None:
        if not self._list_tasks.has_pending:  # otherwise a newer list follows
            self._panel.show_sounds(sounds)

    def _change_history(self, work: Work, on_done: Callable[[Any], None] | None = None) -> None:
        """Change or read the history in the background, after the earlier requests."""
        self._list_tasks.submit(work, on_done, self._on_history_failed)

    def _on_history_failed(self, error: Exception) -> None:
        self._notices.notify_error(TOPIC, error)
        self.refresh()  # the list shows the stored state again

    def _on_status(self, status: PlayerStatus) -> None:
        self._panel.show_playing(status.path if status.state is PlayerState.PLAYING else None)


def _to_trash(path: Path) -> Path | None:
    return move_to_trash(path, path.parent / DELETED_SOUNDS_FOLDER)
