"""The made sounds behind their list: the newest batch first, each sound with its file, its recipe, its star."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QDate,
    QLocale,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    QTime,
)

from distill.generation.recipe import EXTENDED, MORPHED, NEW, REPAINTED, TRANSFORMED, VARIED, Recipe
from distill.generation.service import ListedSound
from distill.gui.widgets.dragging import files_as_mime
from distill.gui.widgets.text import format_seconds
from distill.library.model_entry import fold

AnyIndex = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

#: Roles under which a row gives its `ListedSound`, and whether it is heard now.
GENERATED_ROLE, HEARD_ROLE = Qt.ItemDataRole.UserRole + 1, Qt.ItemDataRole.UserRole + 2
#: Role under which a row gives the facts of its second line, the most important first.
FACTS_ROLE = Qt.ItemDataRole.UserRole + 3


class HistoryModel(QAbstractListModel):
    """The history of made sounds."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sounds: list[ListedSound] = []
        self._playing: Path | None = None
        self._latest = ""  # the sound that was added last

    @property
    def sounds(self) -> tuple[ListedSound, ...]:
        """All sounds, from top to bottom."""
        return tuple(self._sounds)

    def set_sounds(self, sounds: Sequence[ListedSound]) -> None:
        """Show these; where nothing has changed, nothing is touched, so that a selection stays."""
        if list(sounds) == self._sounds:
            return
        before, after = [s.recipe.id for s in self._sounds], [s.recipe.id for s in sounds]
        if before == after:
            changed = [row for row, (old, new) in enumerate(zip(self._sounds, sounds, strict=True)) if old != new]
            self._sounds = list(sounds)
            self._report_changed(changed)
            return
        self.beginResetModel()
        self._sounds = list(sounds)
        self.endResetModel()

    def add(self, sound: ListedSound) -> None:
        """Put a sound on top, under the one before it in its batch, or in the place of its older self."""
        for row, known in enumerate(self._sounds):
            if known.recipe.id == sound.recipe.id:
                made = replace(sound.made, starred=known.made.starred)
                self._sounds[row] = replace(sound, made=made)
                self._report_changed([row])
                return
        before = self.row_of(self._latest)
        row = before + 1 if before >= 0 and sound.recipe.follows(self._sounds[before].recipe) else 0
        self.beginInsertRows(QModelIndex(), row, row)
        self._sounds.insert(row, sound)
        self.endInsertRows()
        self._latest = sound.recipe.id

    def remove(self, ids: Iterable[str]) -> None:
        """Take sounds off."""
        gone = set(ids)
        for row in reversed(range(len(self._sounds))):
            if self._sounds[row].recipe.id in gone:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._sounds[row]
                self.endRemoveRows()

    def set_starred(self, ids: Iterable[str], starred: bool) -> None:
        """Show sounds with stars, or without."""
        those, changed = set(ids), []
        for row, sound in enumerate(self._sounds):
            if sound.recipe.id in those and sound.made.starred is not starred:
                self._sounds[row] = replace(sound, made=replace(sound.made, starred=starred))
                changed.append(row)
        self._report_changed(changed)

    def set_playing(self, path: Path | None) -> None:
        """Mark the sound that is heard."""
        changed, self._playing = {self._playing, path}, path
        self._report_changed(row for row, sound in enumerate(self._sounds) if sound.path in changed)

    def show_peaks(self, path: Path) -> None:
        """Let a row be drawn anew, whose picture has come."""
        self._report_changed(row for row, sound in enumerate(self._sounds) if sound.path == path)

    def row_of(self, recipe_id: str) -> int:
        """Return the row of a sound, or -1."""
        return next((row for row, sound in enumerate(self._sounds) if sound.recipe.id == recipe_id), -1)

    def _report_changed(self, rows: Iterable[int]) -> None:
        for row in rows:
            self.dataChanged.emit(self.index(row), self.index(row))

    # Qt's interface.

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        """Number of sounds."""
        return 0 if parent.isValid() else len(self._sounds)

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        """Let a row be chosen, and one whose file is there be dragged out."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flag = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        is_there = self._sounds[index.row()].seconds is not None
        return flag | Qt.ItemFlag.ItemIsDragEnabled if is_there else flag

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a row's content for a role."""
        if not index.isValid():
            return None
        sound = self._sounds[index.row()]
        if role == GENERATED_ROLE:
            return sound
        if role == HEARD_ROLE:
            return self._playing is not None and sound.path == self._playing
        if role == Qt.ItemDataRole.DisplayRole:
            return sound.path.stem
        if role == FACTS_ROLE:
            return tuple(self._facts(sound))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._spoken(sound)
        return self._tip(sound) if role == Qt.ItemDataRole.ToolTipRole else None

    def supportedDragActions(self) -> Qt.DropAction:
        """Return that a sound can be copied out; it stays in the list."""
        return Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:
        """Return what a file manager and a DAW take."""
        return ["text/uri-list"]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """Return the files of rows, as a file manager hands them out."""
        rows = sorted(index.row() for index in indexes)
        return files_as_mime([self._sounds[row].path for row in rows])

    # Words.

    def _facts(self, sound: ListedSound) -> list[str]:
        recipe = sound.recipe
        how = {
            NEW: self.tr("new, seed {0}").format(recipe.seed),
            TRANSFORMED: self.tr("transformed, {0} % wet").format(round(100 * recipe.dry_wet)),
            VARIED: self.tr("varied, strength {0:.2f}").format(recipe.strength),
            MORPHED: self.tr("morph, step {0} of {1}").format(recipe.number + 1, recipe.count),
            EXTENDED: self.tr("extended by {0:g} s").format(recipe.seconds),
            REPAINTED: self.tr("repainted, {0:g} to {1:g} s").format(recipe.start, recipe.end),
        }.get(recipe.kind, self.tr("reconstructed"))
        length = self.tr("file is gone") if sound.seconds is None else format_seconds(sound.seconds)
        return [length, how, recipe.model_name or recipe.model_id[:8], short_date(recipe.made)]

    def _spoken(self, sound: ListedSound) -> str:
        parts = [sound.path.stem, *self._facts(sound)]
        if sound.made.starred:
            parts.append(self.tr("starred"))
        if self._playing is not None and sound.path == self._playing:
            parts.append(self.tr("playing"))
        return ", ".join(parts)

    def _tip(self, sound: ListedSound) -> str:
        return "\n".join([str(sound.path), short_date(sound.recipe.made), *self._how(sound.recipe)])

    def _how(self, recipe: Recipe) -> list[str]:
        model = self.tr("Model: {0}").format(recipe.model_name or recipe.model_id)
        if recipe.kind == NEW:
            draw = self.tr("Seed {0}, number {1} of {2}, temperature {3:.2f}")
            return [model, draw.format(recipe.seed, recipe.number + 1, recipe.count, recipe.temperature)]
        lines = [model, self.tr("From: {0}").format(recipe.source)]
        if recipe.kind == TRANSFORMED:
            lines.append(self.tr("{0} % wet").format(round(100 * recipe.dry_wet)))
        return lines


def short_date(iso: str) -> str:
    """Return a time as ISO 8601 in the user's own words; today's without the day, unknown ones empty."""
    try:
        when = datetime.fromisoformat(iso).astimezone()
    except ValueError:
        return ""
    locale, short = QLocale(), QLocale.FormatType.ShortFormat
    time_of_day = locale.toString(QTime(when.hour, when.minute, when.second), short)
    if when.date() == datetime.now().astimezone().date():
        return time_of_day
    return f"{locale.toString(QDate(when.year, when.month, when.day), short)} {time_of_day}"


class FilteredHistory(QSortFilterProxyModel):
    """The history, or of it only what is starred, of one model, or has the words that are looked for.

    A sound that loses its star stays until the filter is chosen anew: nothing goes away under the user's hand.
    """

    def __init__(self, table: HistoryModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table = table
        self._starred_only, self._model_id, self._words = False, "", ""
        self._kept: set[str] = set()
        self.setSourceModel(table)

    def set_starred_only(self, is_on: bool) -> None:
        """Show only starred sounds, or all."""
        self._starred_only = is_on
        self._kept = {s.recipe.id for s in self._table.sounds if s.made.starred}
        self.invalidate()

    def set_model(self, model_id: str) -> None:
        """Show only the sounds of one model; of all where it is empty."""
        self._model_id = model_id
        self.invalidate()

    def set_words(self, text: str) -> None:
        """Show only sounds that have each of these words in what is known of them."""
        self._words = fold(text)
        self.invalidate()

    @property
    def is_filtering(self) -> bool:
        """Whether something may be hidden."""
        return self._starred_only or bool(self._model_id) or bool(self._words.strip())

    def filterAcceptsRow(self, row: int, _parent: AnyIndex) -> bool:
        """Return whether a sound is shown."""
        sound = self._table.sounds[row]
        if self._starred_only and not (sound.made.starred or sound.recipe.id in self._kept):
            return False
        if self._model_id and sound.recipe.model_id != self._model_id:
            return False
        index = self._table.index(row)
        known = fold(" ".join((sound.path.name, *index.data(FACTS_ROLE), sound.recipe.source)))
        return all(word in known for word in self._words.split())
