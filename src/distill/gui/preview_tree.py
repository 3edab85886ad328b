"""The previews behind the list: one row an epoch, and under it that epoch's sounds.

Rows are put where their epoch belongs and never moved, so that selection and scroll position stay where the user
left them while new previews come in.
"""

import re
from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QFont

from distill.gui import theme

AnyIndex = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

#: Role under which every cell gives the `PreviewSound` that activating it plays.
SOUND_ROLE = Qt.ItemDataRole.UserRole + 1

_NAME = re.compile(r"(?:preview_epoch(\d+)_(\d+)|recon_epoch(\d+)_(orig|recon)_(\d+))\.wav")


class PreviewKind(IntEnum):
    """What a preview is, in the order in which an epoch lists them."""

    SAMPLE = 0
    ORIGINAL = 1
    RECONSTRUCTION = 2


@dataclass(frozen=True, order=True)
class PreviewSound:
    """A preview: its place in the epoch first, so that sounds sort as they are listed (an original before its copy)."""

    is_pair: bool
    number: int
    kind: PreviewKind
    epoch: int
    path: Path

    @classmethod
    def from_path(cls, path: Path) -> "PreviewSound | None":
        """Read what the file name says; None for a file of another kind."""
        match = _NAME.fullmatch(path.name)
        if match is None:
            return None
        epoch, number, pair_epoch, part, pair_number = match.groups()
        if part is None:
            return cls(False, int(number), PreviewKind.SAMPLE, int(epoch), path)
        kind = PreviewKind.ORIGINAL if part == "orig" else PreviewKind.RECONSTRUCTION
        return cls(True, int(pair_number), kind, int(pair_epoch), path)

    def original(self) -> "PreviewSound | None":
        """Return what a reconstruction was made from."""
        if self.kind is not PreviewKind.RECONSTRUCTION:
            return None
        return PreviewSound.from_path(self.path.with_name(self.path.name.replace("_recon_", "_orig_")))


def find_previews(folder: Path) -> list[PreviewSound]:
    """Return the previews in a run's ``previews`` folder, in no particular order."""
    return [sound for path in folder.glob("*.wav") if (sound := PreviewSound.from_path(path)) is not None]


class PreviewTree(QAbstractItemModel):
    """Epochs, and the sounds of each."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._epochs: list[int] = []
        self._sounds: dict[int, list[PreviewSound]] = {}
        self._playing: Path | None = None

    @property
    def sound_count(self) -> int:
        """Number of previews."""
        return sum(len(sounds) for sounds in self._sounds.values())

    def set_previews(self, previews: Iterable[PreviewSound]) -> None:
        """Show these previews and no others."""
        self.beginResetModel()
        self._sounds = {}
        for sound in sorted(set(previews)):
            self._sounds.setdefault(sound.epoch, []).append(sound)
        self._epochs = sorted(self._sounds)
        self.endResetModel()

    def add(self, sound: PreviewSound) -> None:
        """Add a preview, and with a reconstruction its original; one that is there already stays as it is."""
        for item in (sound.original(), sound):
            if item is not None:
                self._add_one(item)

    def _add_one(self, sound: PreviewSound) -> None:
        if sound.epoch not in self._sounds:
            row = bisect_left(self._epochs, sound.epoch)
            self.beginInsertRows(QModelIndex(), row, row)
            self._epochs.insert(row, sound.epoch)
            self._sounds[sound.epoch] = [sound]
            self.endInsertRows()
            return
        sounds = self._sounds[sound.epoch]
        if sound not in sounds:
            parent = self.index(self._epochs.index(sound.epoch), 0)
            row = bisect_left(sounds, sound)
            self.beginInsertRows(parent, row, row)
            insort(sounds, sound)
            self.endInsertRows()
            self.dataChanged.emit(parent, parent)

    def set_playing(self, path: Path | None) -> None:
        """Mark the sound that is heard."""
        if path != self._playing:
            self._playing = path
            last = len(self._epochs) - 1
            if last >= 0:
                self.dataChanged.emit(self.index(0, 0), self.index(last, 0))
            for row, epoch in enumerate(self._epochs):
                parent = self.index(row, 0)
                self.dataChanged.emit(self.index(0, 0, parent), self.index(len(self._sounds[epoch]) - 1, 0, parent))

    # Qt's interface.  An epoch's index has the internal id 0, a sound's its epoch's number plus 1: epochs never go.

    def index(self, row: int, column: int, parent: AnyIndex = _ROOT) -> QModelIndex:
        """Return the index of a row."""
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        return self.createIndex(row, column, self._epochs[parent.row()] + 1 if parent.isValid() else 0)

    def parent(self, index: AnyIndex = _ROOT) -> QModelIndex:  # type: ignore[override]
        """Return the epoch of a sound."""
        if not index.isValid() or index.internalId() == 0:
            return QModelIndex()
        return self.createIndex(bisect_left(self._epochs, index.internalId() - 1), 0, 0)

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        """Number of epochs, or of the sounds of one."""
        if not parent.isValid():
            return len(self._epochs)
        return len(self._sounds[self._epochs[parent.row()]]) if parent.internalId() == 0 else 0

    def columnCount(self, _parent: AnyIndex = _ROOT) -> int:
        """Return the one column."""
        return 1

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's content for a role."""
        if not index.isValid():
            return None
        is_epoch = index.internalId() == 0
        sounds = self._sounds[self._epochs[index.row()] if is_epoch else index.internalId() - 1]
        sound = sounds[0] if is_epoch else sounds[index.row()]
        if role == SOUND_ROLE:
            return sound
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._epoch_text(sound.epoch) if is_epoch else self._sound_text(sound)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.tr("Click to hear it: {0}").format(sound.path.name)
        return self._look(role, sound, is_epoch)

    def _epoch_text(self, epoch: int) -> str:
        return self.tr("Epoch {0}").format(epoch)

    def _sound_text(self, sound: PreviewSound) -> str:
        words = (self.tr("New sound {0}"), self.tr("Original {0}"), self.tr("Reconstruction {0}"))
        return words[sound.kind].format(sound.number + 1)

    def _look(self, role: int, sound: PreviewSound, is_epoch: bool) -> Any:
        is_playing = sound.path == self._playing and not is_epoch
        if role == Qt.ItemDataRole.ForegroundRole and is_playing:
            return QColor(theme.colors().accent)
        if role == Qt.ItemDataRole.FontRole and (is_epoch or is_playing):
            font = QFont()
            font.setWeight(QFont.Weight.DemiBold)
            return font
        return None
