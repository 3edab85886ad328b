"""What pads hold is kept for each model, in one file: by the model's id, not in the model.

Reading and writing happen off the window's thread, one after the other.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer

from distill import paths
from distill.control.board import GROUPS
from distill.files import read_json, write_json
from distill.gui.play.pad_changes import PadChanges, PadState
from distill.gui.play.pads import COUNT, PadGrid
from distill.gui.widgets.background_task import TaskQueue

log = logging.getLogger(__name__)

#: Most models whose pads are kept; those that were changed last.
MODELS = 200
#: Milliseconds without another change after which pads are written.
_SETTLED = 500
_VERSION = 1


EMPTY = PadState(None, 0)


def read_pads(model_id: str) -> list[PadState]:
    """Return what the pads held for a model; whatever is missing or damaged is empty."""
    return _read_models().get(model_id, [EMPTY] * COUNT)


def write_pads(model_id: str, states: Sequence[PadState]) -> None:
    """Keep what the pads hold for a model.  Only the pads are lost if the file cannot be written."""
    models = _read_models()
    models.pop(model_id, None)  # the latest one comes last
    if any(state != EMPTY for state in states):
        models[model_id] = list(states)
    kept = {key: _to_plain(models[key]) for key in list(models)[-MODELS:]}
    try:
        write_json(_file(), {"version": _VERSION, "models": kept})
    except OSError as exc:
        log.warning("What the pads hold cannot be kept: %s", exc)


def _file() -> Path:
    return paths.data_dir() / "pads.json"


def _read_models() -> dict[str, list[PadState]]:
    try:
        data = read_json(_file())
        models = data["models"] if data["version"] == _VERSION else {}
        return {key: _from_plain(items) for key, items in models.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # the first time, or damaged
        return {}


def _to_plain(states: Sequence[PadState]) -> list[dict[str, Any]]:
    return [
        {"pad": number, "path": str(state.sound) if state.sound is not None else None, "group": state.group}
        for number, state in enumerate(states)
        if state != EMPTY
    ]


def _from_plain(items: Any) -> list[PadState]:
    states = [EMPTY] * COUNT
    for item in items if isinstance(items, list) else ():
        number = item.get("pad") if isinstance(item, dict) else None
        if type(number) is int and 0 <= number < COUNT:
            path, group = item.get("path"), item.get("group")
            is_path = isinstance(path, str) and path != "" and "\0" not in path
            is_group = type(group) is int and 0 <= group <= GROUPS
            states[number] = PadState(Path(path) if is_path else None, group if is_group else 0)
    return states


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False


class PadKeeper(QObject):
    """Shows the pads of the open model, and keeps them when they change."""

    def __init__(self, pads: PadGrid, parent: QObject) -> None:
        super().__init__(parent)
        self.changes = PadChanges(pads, self)
        self._model_id = ""
        self._opened = 0  # tells what was read for this model from what was read for one before
        self._is_reading = self._is_dirty = self._is_quiet = False
        #: Whether the pads were changed since the model was opened.
        self.has_changed = False
        self._held_requests: list[Callable[[], None]] = []
        self._tasks = TaskQueue("pads", self, keeps=True)
        self._settling = QTimer(self, singleShot=True, interval=_SETTLED)
        self._settling.timeout.connect(self._write)
        pads.held.connect(self._on_changed)
        pads.group_chosen.connect(self._on_changed)

    @property
    def is_reading(self) -> bool:
        """Whether the pads of the open model are being read."""
        return self._is_reading

    def open(self, model_id: str) -> None:
        """Empty the pads, then show those of a model; "" is none."""
        self._write()
        self._held_requests.clear()
        self._model_id, self._opened = model_id, self._opened + 1
        self.has_changed = self._is_dirty = False
        self._show([EMPTY] * COUNT)
        self.changes.undo_stack.clear()
        self._is_reading = bool(model_id)
        if model_id:

            def work(_notify: Callable[[Any], None], _cancel: threading.Event) -> list[PadState]:
                states = read_pads(model_id)
                return [s if s.sound is None or _exists(s.sound) else PadState(None, s.group) for s in states]

            self._tasks.submit(work, partial(self._on_read, self._opened))

    def when_read(self, request: Callable[[], None]) -> None:
        """Carry out a request that needs to know which pads are empty, once that is known."""
        if self._is_reading:
            self._held_requests.append(request)
        else:
            request()

    def close(self) -> None:
        """Write what has changed, and wait for it."""
        self._write()
        self._tasks.close()

    def _show(self, states: Sequence[PadState]) -> None:
        """Show what was kept, which is no change by the user."""
        self._is_quiet = True
        try:
            self.changes.show(dict(enumerate(states)))
        finally:
            self._is_quiet = False

    def _on_read(self, opened: int, kept: list[PadState]) -> None:
        if opened != self._opened:
            return
        self._is_reading = False
        shown = self.changes.states()  # a pad that was given a sound meanwhile keeps it
        self._show([old if new == EMPTY else new for old, new in zip(kept, shown, strict=True)])
        requests, self._held_requests = self._held_requests, []
        for request in requests:
            request()

    def _on_changed(self, number: int, _what: object) -> None:
        if not self._is_quiet:
            self.changes.record(number)
            self.has_changed = self._is_dirty = True
            self._settling.start()

    def _write(self) -> None:
        """Write the pads of the open model, if they have changed."""
        self._settling.stop()
        if self._is_reading and self._is_dirty:
            self._settling.start()  # what was kept is not known yet
        elif self._is_dirty and self._model_id:
            self._is_dirty = False
            model_id, states = self._model_id, self.changes.states()
            self._tasks.submit(lambda _notify, _cancel: write_pads(model_id, states))
