"""Records what is changed on the pads, with undo."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from distill.gui.play.pads.pad_grid import PadGrid
from distill.gui.widgets.notices import NoticeAction, NoticeBar

#: Most steps that can be undone.
_STEPS = 200


class PadState(NamedTuple):
    """The sound of a pad, or None, and its choke group; 0 is none."""

    sound: Path | None
    group: int


class PadStep:
    """One step of undo, made of changes of several pads that may come one after the other.

    Attributes
    ----------
    text
        Follows "Undo" in the menu.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.command: _Change | None = None


class PadChanges(QObject):
    """Holds the undo stack of the pads: each change is a step, or part of the step that is under way."""

    #: A step was undone: its text.
    undone = Signal(str)

    def __init__(self, pads: PadGrid, parent: QObject) -> None:
        super().__init__(parent)
        self._pads = pads
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(_STEPS)
        self._known = self.states()
        self._step: PadStep | None = None
        self._is_applying = False
        pads.exchange_requested.connect(self.exchange)

    def states(self) -> list[PadState]:
        """Return what the pads hold."""
        return [PadState(pad.sound, pad.choke_group) for pad in self._pads.pads]

    def show(self, states: Mapping[int, PadState]) -> None:
        """Show what pads hold, by number, without a new step."""
        before, self._is_applying = self._is_applying, True
        try:
            for number, state in states.items():
                pad = self._pads.pads[number]
                if pad.choke_group != state.group:
                    self._pads.join(number, state.group)
                if pad.sound != state.sound:
                    self._pads.hold(number, state.sound)
        finally:
            self._is_applying = before
        self._known = self.states()

    def exchange(self, first: int, second: int) -> None:
        """Let two pads change places, with their choke groups, as one step; a pad may be empty."""
        states = self.states()
        text = self.tr("Exchange Pads {0} and {1}") if states[second].sound else self.tr("Move Pad {0} to {1}")
        with self.within(PadStep(text.format(*(self._pads.pads[number].key for number in (first, second))))):
            for number, state in ((first, states[second]), (second, states[first])):
                self._pads.join(number, state.group)
                self._pads.hold(number, state.sound)

    @contextmanager
    def within(self, step: PadStep) -> Iterator[None]:
        """Make the changes that are made meanwhile part of a step."""
        before, self._step = self._step, step
        try:
            yield
        finally:
            self._step = before

    def record(self, number: int) -> None:
        """Take note of a change of a pad."""
        before, after = self._known[number], self.states()[number]
        if self._is_applying or before == after:
            return
        self._known[number] = after
        step = self._step or PadStep(self._text(number, before, after))
        if step.command is not None and self.is_last(step):
            step.command.add(number, before, after)
        else:  # also where another change came between
            step.command = _Change(step.text, self.show, self.undone.emit)
            step.command.add(number, before, after)
            self.undo_stack.push(step.command)

    def is_last(self, step: PadStep) -> bool:
        """Return whether a step is what undo takes back next, with nothing after it."""
        index = self.undo_stack.index()
        return 0 < index == self.undo_stack.count() and self.undo_stack.command(index - 1) is step.command

    def follow_file(self, before: Path, path: Path) -> None:
        """Hold a file under the name that it has now, also in what can be undone."""
        for n in range(self.undo_stack.count()):
            command = self.undo_stack.command(n)
            assert isinstance(command, _Change)
            command.follow_file(before, path)
        self._known = [_renamed(state, before, path) for state in self._known]
        for number, pad in enumerate(self._pads.pads):
            if pad.sound == before:
                self._pads.hold(number, path)

    def _text(self, number: int, before: PadState, after: PadState) -> str:
        if before.sound == after.sound:
            text = self.tr("Change the Choke Group of Pad {0}")
        elif after.sound is None:
            text = self.tr("Empty Pad {0}")
        else:
            text = self.tr("Fill Pad {0}") if before.sound is None else self.tr("Replace the Sound of Pad {0}")
        return text.format(self._pads.pads[number].key)


class UndoNotices(QObject):
    """Says what was undone, and offers to undo a step for as long as it is the last one."""

    def __init__(self, changes: PadChanges, notices: NoticeBar, topic: str, parent: QObject) -> None:
        super().__init__(parent)
        self._changes, self._notices, self._topic = changes, notices, topic
        self._offered: tuple[PadStep, NoticeAction] | None = None
        changes.undone.connect(self._on_undone)
        changes.undo_stack.indexChanged.connect(self._on_index_changed)

    def offer(self, step: PadStep, text: str) -> None:
        """Show a notice with a button that undoes a step; without the button where other changes have followed."""
        action = NoticeAction(self.tr("Undo"), lambda: self._take_back(step)) if self._changes.is_last(step) else None
        self._notices.notify(self._topic, text, "info", action)
        self._offered = (step, action) if action is not None else None

    def _take_back(self, step: PadStep) -> None:
        if self._changes.is_last(step):
            self._changes.undo_stack.undo()
            self._notices.forget(self._topic)  # who has pressed the button knows what was undone

    def _on_index_changed(self) -> None:
        """Remove the notice, unless another one has its place, once its step is not the last one any more."""
        if self._offered is not None and not self._changes.is_last(self._offered[0]):
            action, self._offered = self._offered[1], None
            if any(notice.action is action for notice in self._notices.notices):
                self._notices.forget(self._topic)

    def _on_undone(self, text: str) -> None:
        self._notices.notify(self._topic, self.tr("Undone: {0}").format(text), "info")


class _Change(QUndoCommand):
    """Puts other states of pads in place of those before."""

    def __init__(
        self, text: str, show: Callable[[Mapping[int, PadState]], None], on_undone: Callable[[str], object]
    ) -> None:
        super().__init__(text)
        self._show, self._on_undone = show, on_undone
        self._before: dict[int, PadState] = {}
        self._after: dict[int, PadState] = {}

    def add(self, number: int, before: PadState, after: PadState) -> None:
        """Take the change of a pad, too."""
        self._before.setdefault(number, before)
        self._after[number] = after

    def follow_file(self, before: Path, path: Path) -> None:
        """Hold a file under the name that it has now."""
        for states in (self._before, self._after):
            states.update({number: _renamed(state, before, path) for number, state in states.items()})

    def redo(self) -> None:
        """Apply the change."""
        self._show(self._after)

    def undo(self) -> None:
        """Take the change back."""
        self._show(self._before)
        self._on_undone(self.text())


def _renamed(state: PadState, before: Path, path: Path) -> PadState:
    return PadState(path, state.group) if state.sound == before else state
