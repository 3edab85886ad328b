"""Which sounds the user does not want to train on, and the way back."""

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack


class Exclusions(QObject):
    """A set of files that can be changed, and changed back.

    A file is known by its path, whichever folder it was listed with, so that it is still excluded when the user has
    been elsewhere in between.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._paths: frozenset[Path] = frozenset()
        self.undo_stack = QUndoStack(self)

    @property
    def paths(self) -> frozenset[Path]:
        """The excluded files."""
        return self._paths

    def restore(self, paths: Iterable[Path]) -> None:
        """Begin with these; there is no way back from it."""
        self.undo_stack.clear()
        self.replace(frozenset(paths))

    def choose(self, paths: Iterable[Path], excluded: bool) -> None:
        """Exclude files, or include them again: one step for undo, none where nothing changes."""
        wanted = frozenset(paths)
        changing = wanted - self._paths if excluded else wanted & self._paths
        if changing:
            self.undo_stack.push(_Choice(self, changing, excluded))

    def replace(self, paths: frozenset[Path]) -> None:
        """Put another set in place of the present one."""
        if paths != self._paths:
            self._paths = paths
            self.changed.emit()


class _Choice(QUndoCommand):
    """Excludes files, or includes them."""

    def __init__(self, exclusions: Exclusions, paths: frozenset[Path], excluded: bool) -> None:
        super().__init__(_text(exclusions, paths, excluded))
        self._exclusions, self._changing, self._excluded = exclusions, paths, excluded

    def redo(self) -> None:
        """Do it."""
        self._apply(self._excluded)

    def undo(self) -> None:
        """Take it back."""
        self._apply(not self._excluded)

    def _apply(self, excluded: bool) -> None:
        before = self._exclusions.paths
        self._exclusions.replace(before | self._changing if excluded else before - self._changing)


def _text(exclusions: Exclusions, paths: frozenset[Path], excluded: bool) -> str:
    """Return the words that follow "Undo" in the menu."""
    if len(paths) == 1:
        text = exclusions.tr("Exclude {0}") if excluded else exclusions.tr("Include {0}")
        return text.format(next(iter(paths)).name)
    text = exclusions.tr("Exclude {0} Sounds") if excluded else exclusions.tr("Include {0} Sounds")
    return text.format(len(paths))
