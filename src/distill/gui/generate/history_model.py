"""The rows of the history of generated sounds, the newest batch first; their texts and filter."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)

from distill.generation.history.sound_history import ListedSound
from distill.generation.recipe import NEW, RECONSTRUCTED, TRANSFORMED, Recipe
from distill.gui.generate.recipe_text import recipe_lines, sound_facts
from distill.gui.lists.list_model import MARKED_ROLE, ListModel
from distill.gui.widgets.drag_and_drop import FileDragModel
from distill.gui.widgets.formatting import format_date
from distill.gui.widgets.plain_text import plain_tip
from distill.names import fold

AnyIndex = QModelIndex | QPersistentModelIndex

#: Kinds of sounds that the forms beside the list make, and whose settings they can show.  The Play page makes others.
GENERATE_FORM_KINDS = (NEW, TRANSFORMED, RECONSTRUCTED)

#: Where sounds come from: anywhere, the form beside the list, the Play page.
ALL, GENERATE_FORM, PLAY_PAGE = "all", "form", "played"

#: Role of the facts in a row's second line, the most important first.
FACTS_ROLE = MARKED_ROLE + 1


def origin_of(recipe: Recipe) -> str:
    """Return where a sound comes from: `GENERATE_FORM` or `PLAY_PAGE`."""
    return GENERATE_FORM if recipe.kind in GENERATE_FORM_KINDS else PLAY_PAGE


class HistoryModel(FileDragModel, ListModel[ListedSound]):
    """The history of generated sounds.  The sound that is playing is marked."""

    #: The user wants another name for a sound.
    renamed = Signal(object, str)  # ListedSound, name

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(lambda sound: sound.recipe.id, parent)
        self._last_added_id = ""  # id of the sound that was added last
        self._model_names: dict[str, str] = {}  # by id, as the user has named them since

    def add(self, sound: ListedSound) -> None:
        """Insert a sound on top, or below the previous one of its batch; one with the same id is replaced."""
        row = self.row_of(sound.recipe.id)
        if row >= 0:
            listed_entry = self.item(row).entry
            new_entry = replace(sound.entry, starred=listed_entry.starred, rejected=listed_entry.rejected)
            self.update_items([replace(sound, entry=new_entry)])
            return
        last_row = self.row_of(self._last_added_id)
        follows_last = last_row >= 0 and sound.recipe.follows(self.item(last_row).recipe)
        self.insert(last_row + 1 if follows_last else 0, sound)
        self._last_added_id = sound.recipe.id

    def show_model_names(self, names: Mapping[str, str]) -> None:
        """Show these names of models, by id, in place of those that they had when the sounds were generated."""
        if names != self._model_names:
            self._model_names = dict(names)
            self.rows_changed(range(len(self.items)))

    def _model_name(self, recipe: Recipe) -> str:
        return self._model_names.get(recipe.model_id) or recipe.model_name

    def show_starred(self, ids: Iterable[str], starred: bool) -> None:
        """Show sounds with stars, or without."""
        sounds = [self.item(row) for key in ids if (row := self.row_of(key)) >= 0]
        self.update_items(
            replace(sound, entry=replace(sound.entry, starred=starred, rejected=sound.entry.rejected and not starred))
            for sound in sounds
        )

    def show_rejected(self, ids: Iterable[str], rejected: bool) -> None:
        """Show sounds as rejected, or not."""
        sounds = [self.item(row) for key in ids if (row := self.row_of(key)) >= 0]
        self.update_items(
            replace(sound, entry=replace(sound.entry, rejected=rejected, starred=sound.entry.starred and not rejected))
            for sound in sounds
        )

    def set_playing(self, path: Path | None) -> None:
        """Mark the sound that is playing."""
        self.set_marked([sound.recipe.id for sound in self.items if path is not None and sound.path == path])

    def show_peaks(self, path: Path) -> None:
        """Repaint the row of a sound whose waveform is ready."""
        self.rows_changed(row for row, sound in enumerate(self.items) if sound.path == path)

    def file_at(self, index: QModelIndex) -> Path | None:
        """Return the file of a row; None where it was gone when the history was read."""
        sound = self.item(index.row()) if index.isValid() else None
        return sound.path if sound is not None and sound.seconds is not None else None

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        """Return the flags of a row: only a sound whose file exists can be dragged."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flag = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        if self.item(index.row()).seconds is None:
            return flag
        return flag | Qt.ItemFlag.ItemIsDragEnabled | Qt.ItemFlag.ItemIsEditable

    def setData(self, index: AnyIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Request another name; the row shows it once the file has it."""
        name, sound = " ".join(str(value).split()), self.item(index.row())
        if role != Qt.ItemDataRole.EditRole or not name or name == sound.path.stem:
            return False
        self.renamed.emit(sound, name)
        return True

    def show_path(self, recipe_id: str, path: Path) -> None:
        """Show a sound under the path that it has now."""
        if (row := self.row_of(recipe_id)) >= 0:
            sound = self.item(row)
            self.update_items([replace(sound, entry=replace(sound.entry, path=path))])

    def item_data(self, item: ListedSound, role: int) -> Any:
        """Return what a row shows."""
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return item.path.stem
        if role == FACTS_ROLE:
            return tuple(self._facts(item))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._spoken_text(item)
        return self._tip(item) if role == Qt.ItemDataRole.ToolTipRole else None

    # Texts.

    def _facts(self, sound: ListedSound) -> list[str]:
        return sound_facts(sound, self._model_name(sound.recipe))

    def _spoken_text(self, sound: ListedSound) -> str:
        parts = [sound.path.stem, *self._facts(sound)]
        if sound.entry.starred:
            parts.append(self.tr("starred"))
        if sound.entry.rejected:
            parts.append(self.tr("rejected"))
        if self.is_marked(sound):
            parts.append(self.tr("playing"))
        return ", ".join(parts)

    def _tip(self, sound: ListedSound) -> str:
        return plain_tip(
            str(sound.path), format_date(sound.recipe.made), *recipe_lines(sound.recipe, self._model_name(sound.recipe))
        )


class FilteredHistory(QSortFilterProxyModel):
    """Filters the history by star, by model, by where sounds come from, and by words.

    A sound that loses its star stays until the filter is set again, so that nothing moves under the cursor.
    """

    def __init__(self, table: HistoryModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table = table
        self._starred_only, self._model_id, self._words = False, "", ""
        self._origin = ALL
        self._shown_as_starred: set[str] = set()
        self.setSourceModel(table)

    def set_starred_only(self, is_on: bool) -> None:
        """Show only starred sounds, or all."""
        self._starred_only = is_on
        self._shown_as_starred = {s.recipe.id for s in self._table.items if s.entry.starred}
        self.invalidate()

    def set_model(self, model_id: str) -> None:
        """Show only the sounds of one model; an empty id shows all."""
        self._model_id = model_id
        self.invalidate()

    def set_origin(self, origin: str) -> None:
        """Show only sounds of the form or of the Play page, or `ALL`."""
        if origin != self._origin:
            self._origin = origin
            self.invalidate()

    def set_words(self, text: str) -> None:
        """Show only sounds that have each of these words in their name, facts or source."""
        self._words = fold(text)
        self.invalidate()

    def filterAcceptsRow(self, row: int, _parent: AnyIndex) -> bool:
        """Return whether a sound is shown."""
        sound = self._table.item(row)
        if self._starred_only and not (sound.entry.starred or sound.recipe.id in self._shown_as_starred):
            return False
        if self._model_id and sound.recipe.model_id != self._model_id:
            return False
        if self._origin not in (ALL, origin_of(sound.recipe)):
            return False
        index = self._table.index(row)
        searched_text = fold(" ".join((sound.path.name, *index.data(FACTS_ROLE), sound.recipe.source)))
        return all(word in searched_text for word in self._words.split())
