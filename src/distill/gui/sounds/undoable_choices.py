"""Which sounds are listed, which are excluded and what is fixed in them, with undo."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from distill.audio.decoding.sound_fix import SoundFix
from distill.gui.widgets.plain_text import in_menu


@dataclass(frozen=True)
class Choice:
    """What the user has chosen.

    Attributes
    ----------
    roots
        Files and folders that are listed, in the order they were added.
    removed
        Files in these folders that the user has removed from the list.
    excluded
        Files that the user does not want to train on, also while they are not listed: a file is still excluded when
        the user comes back to its folder.
    fixes
        What the next training changes in sounds when it reads them; those that it leaves out are excluded as well.
    """

    roots: tuple[Path, ...] = ()
    removed: frozenset[Path] = frozenset()
    excluded: frozenset[Path] = frozenset()
    fixes: Mapping[Path, SoundFix] = field(default_factory=dict)


class Exclusions(QObject):
    """Holds the `Choice`, and the undo stack of its changes."""

    #: The excluded files, or the fixes, are different.
    changed = Signal()
    #: The listed files and folders are different, by adding, removing, undo or redo.
    listing_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.choice = Choice()
        self.undo_stack = QUndoStack(self)

    @property
    def paths(self) -> frozenset[Path]:
        """The excluded files."""
        return self.choice.excluded

    @property
    def left_out(self) -> frozenset[Path]:
        """The excluded files that a fix leaves out."""
        return frozenset(path for path, fix in self.choice.fixes.items() if fix.leaves_out) & self.choice.excluded

    def has_fixes(self, fixes: Mapping[Path, SoundFix]) -> bool:
        """Whether all of these fixes are chosen."""
        chosen, excluded = self.choice.fixes, self.choice.excluded
        return all(
            path in chosen and chosen[path] | fix == chosen[path] and (not fix.leaves_out or path in excluded)
            for path, fix in fixes.items()
        )

    def fix(self, fixes: Mapping[Path, SoundFix], is_wanted: bool, title: str) -> None:
        """Choose fixes, or take them back: one undo step, none if nothing changes."""
        excluded, chosen_fixes = set(self.choice.excluded), dict(self.choice.fixes)
        for path, fix in fixes.items():
            chosen_fix = chosen_fixes.pop(path, SoundFix())
            merged_fix = chosen_fix | fix if is_wanted else chosen_fix.without(fix)
            if merged_fix != SoundFix():
                chosen_fixes[path] = merged_fix
            if fix.leaves_out:
                (excluded.add if is_wanted else excluded.discard)(path)
        text = (self.tr("Fix: {0}") if is_wanted else self.tr("Undo Fix: {0}")).format(title)
        choice = replace(self.choice, excluded=frozenset(excluded), fixes=chosen_fixes)
        if choice != self.choice:
            self._push(text, choice)

    def restore(
        self,
        excluded: Iterable[Path],
        removed: Iterable[Path] = (),
        fixes: Mapping[Path, SoundFix] | None = None,
    ) -> None:
        """Take the files of the last session, without undo."""
        self.undo_stack.clear()
        choice = replace(self.choice, excluded=frozenset(excluded), removed=frozenset(removed), fixes=dict(fixes or {}))
        self.replace(choice)

    def set_roots(self, roots: Iterable[Path], removed: frozenset[Path] | None = None) -> None:
        """List these files and folders, without undo and without a signal.

        Parameters
        ----------
        roots
            Files and folders.
        removed
            Files that are removed from the list; None for those of now, unless all of ``roots`` are others.
        """
        new_roots, old_roots = tuple(roots), self.choice.roots
        if not set(old_roots) <= set(new_roots):  # undo must not act on what is not listed any more
            self.undo_stack.clear()
        if removed is None:
            are_all_others = bool(old_roots) and not set(new_roots) & set(old_roots)
            removed = frozenset() if are_all_others else self.choice.removed
        self.choice = replace(self.choice, roots=new_roots, removed=removed)

    def choose(self, paths: Iterable[Path], excluded: bool) -> None:
        """Exclude files, or include them again: one undo step, none if nothing changes."""
        requested, excluded_before = frozenset(paths), self.choice.excluded
        changing = requested - excluded_before if excluded else requested & excluded_before
        if changing:
            excluded_after = excluded_before | changing if excluded else excluded_before - changing
            self._push(_exclusion_text(self, changing, excluded), replace(self.choice, excluded=excluded_after))

    def add(self, roots: Sequence[Path]) -> None:
        """Add files and folders to the list: one undo step.  Removed files among them come back."""
        all_roots = tuple(dict.fromkeys([*self.choice.roots, *roots]))
        removed = frozenset(p for p in self.choice.removed if not any(p == r or r in p.parents for r in roots))
        if all_roots == self.choice.roots and removed == self.choice.removed:
            return
        text = self.tr("Add {0}").format(in_menu(roots[0].name))
        self._push(text, replace(self.choice, roots=all_roots, removed=removed))

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files from the list: one undo step.  The files themselves are not touched."""
        removing = frozenset(paths)
        if removing:
            one = self.tr("Remove {0}").format(in_menu(next(iter(removing)).name))
            text = one if len(removing) == 1 else self.tr("Remove {0} Sounds from the List").format(len(removing))
            self._push(text, replace(self.choice, removed=self.choice.removed | removing))

    def replace(self, choice: Choice) -> None:
        """Put another choice in place of the present one."""
        before, self.choice = self.choice, choice
        if (before.roots, before.removed) != (choice.roots, choice.removed):
            self.listing_changed.emit()
        if (before.excluded, before.fixes) != (choice.excluded, choice.fixes):
            self.changed.emit()

    def _push(self, text: str, after: Choice) -> None:
        self.undo_stack.push(_ChoiceChange(text, self.replace, self.choice, after))


class _ChoiceChange(QUndoCommand):
    """Puts one choice in place of another."""

    def __init__(self, text: str, apply: Callable[[Choice], None], before: Choice, after: Choice) -> None:
        super().__init__(text)
        self._apply, self._choice_before, self._choice_after = apply, before, after

    def redo(self) -> None:
        """Apply the change."""
        self._apply(self._choice_after)

    def undo(self) -> None:
        """Take the change back."""
        self._apply(self._choice_before)


def _exclusion_text(exclusions: Exclusions, paths: frozenset[Path], excluded: bool) -> str:
    """Return the text that follows "Undo" in the menu."""
    if len(paths) == 1:
        text = exclusions.tr("Exclude {0}") if excluded else exclusions.tr("Include {0}")
        return text.format(in_menu(next(iter(paths)).name))
    text = exclusions.tr("Exclude {0} Sounds") if excluded else exclusions.tr("Include {0} Sounds")
    return text.format(len(paths))
