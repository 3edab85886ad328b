"""What pads hold is kept for each model, in one file: by the model's id, not in the model.

A pad whose sound is on a disk that is not connected is empty, and has it again once the disk is back, unless it was
given another one meanwhile.

With a sound goes the verdict on it, which takes a comparison with all sounds of the model to find.

Reading and writing happen off the window's thread, one after the other.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, QTimer

from distill import paths
from distill.audio.cache.hash_index import file_key
from distill.control.pads_keys_and_knobs import GROUPS
from distill.files import is_file, is_folder
from distill.generation.map.newness import CLOSE, COPY, NEW, Verdict
from distill.gui.background_tasks import TaskQueue
from distill.gui.play.pads.pad_grid import COUNT, PadGrid
from distill.gui.play.pads.pad_undo import PadChanges, PadState
from distill.gui.play.sound_verdicts import KeptVerdict, Verdicts
from distill.json_files import read_json, write_json

log = logging.getLogger(__name__)

#: Most models whose pads are kept; those that were changed last.
MODELS = 200
#: Milliseconds without another change after which pads are written.
_SETTLED = 500
_VERSION = 1
#: Longest name of a sound.
_MOST_CHARACTERS = 4096


EMPTY = PadState(None, 0)


class KeptPads(NamedTuple):
    """What the pads hold, in order, and the verdicts on their sounds that are known."""

    states: list[PadState]
    verdicts: Mapping[Path, KeptVerdict]


def read_pads(model_id: str) -> KeptPads:
    """Return what the pads held for a model; whatever is missing or damaged is empty."""
    nothing = KeptPads([EMPTY] * COUNT, {})
    with suppress(OSError):
        return _read_models().get(model_id, nothing)
    return nothing


def write_pads(model_id: str, states: Sequence[PadState], verdicts: Mapping[Path, KeptVerdict] | None = None) -> None:
    """Keep what the pads hold for a model.  Only the pads are lost if the file cannot be read or written."""
    try:
        models = _read_models()
        models.pop(model_id, None)  # the latest one comes last
        if any(state != EMPTY for state in states):
            models[model_id] = KeptPads(list(states), verdicts or {})
        _write_models(models)
    except OSError as exc:
        log.warning("What the pads hold cannot be kept: %s", exc)


def rename_in_pads(before: Path, path: Path) -> None:
    """Keep a sound on the pads of all models under the name that its file has now."""
    try:
        models = _read_models()
        renamed = {key: _renamed(kept, before, path) for key, kept in models.items()}
        if renamed != models:
            _write_models(renamed)
    except OSError as exc:
        log.warning("A renamed sound cannot be kept on its pads: %s", exc)


def _renamed(kept: KeptPads, before: Path, path: Path) -> KeptPads:
    states = [PadState(path, state.group) if state.sound == before else state for state in kept.states]
    return KeptPads(states, {path if key == before else key: verdict for key, verdict in kept.verdicts.items()})


def _file() -> Path:
    return paths.data_dir() / "pads.json"


def _read_models() -> dict[str, KeptPads]:
    """Return what is kept for all models; nothing where it is damaged.

    Raises
    ------
    OSError
        It cannot be read now; what is written then would take its place.
    """
    try:
        data = read_json(_file())
        models = data["models"] if data["version"] == _VERSION else {}
        return {key: _from_plain(items) for key, items in models.items()}
    except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError):  # the first time, or damaged
        return {}


def _write_models(models: Mapping[str, KeptPads]) -> None:
    kept = {key: _to_plain(models[key]) for key in list(models)[-MODELS:]}
    write_json(_file(), {"version": _VERSION, "models": kept})


def _to_plain(kept: KeptPads) -> list[dict[str, Any]]:
    plain = []
    for number, (sound, group) in enumerate(kept.states):
        if (sound, group) != EMPTY:
            item: dict[str, Any] = {"pad": number, "path": str(sound) if sound is not None else None, "group": group}
            if sound is not None and sound in kept.verdicts:
                item["verdict"] = _verdict_to_plain(kept.verdicts[sound])
            plain.append(item)
    return plain


def _from_plain(items: Any) -> KeptPads:
    states, verdicts = [EMPTY] * COUNT, dict[Path, KeptVerdict]()
    for item in items if isinstance(items, list) else ():
        number = item.get("pad") if isinstance(item, dict) else None
        if type(number) is int and 0 <= number < COUNT:
            path, group = _path_of(item.get("path")), item.get("group")
            is_group = type(group) is int and 0 <= group <= GROUPS
            states[number] = PadState(path, group if is_group else 0)
            verdict = _verdict_from_plain(item.get("verdict"))
            if path is not None and verdict is not None:
                verdicts[path] = verdict
    return KeptPads(states, verdicts)


def _path_of(value: Any) -> Path | None:
    return Path(value) if isinstance(value, str) and value != "" and "\0" not in value else None


def _verdict_to_plain(kept: KeptVerdict) -> dict[str, Any]:
    verdict = kept.verdict
    return {
        "word": verdict.word, "name": verdict.name, "file": str(verdict.file) if verdict.file is not None else None,
        "size": kept.size, "changed_ns": kept.changed_ns, "model_changed_ns": kept.model_changed_ns,
    }  # fmt: skip


def _verdict_from_plain(item: Any) -> KeptVerdict | None:
    """Return a verdict; None where there is none, as in files of older versions, or where it is damaged."""
    if not isinstance(item, dict):
        return None
    word, name = item.get("word"), item.get("name")
    numbers = [item.get(key) for key in ("size", "changed_ns", "model_changed_ns")]
    if word not in (NEW, CLOSE, COPY) or not isinstance(name, str) or len(name) > _MOST_CHARACTERS:
        return None
    if any(type(number) is not int for number in numbers):
        return None
    return KeptVerdict(Verdict(word, name, _path_of(item.get("file"))), *numbers)  # type: ignore[arg-type]


def _present(kept: KeptPads) -> KeptPads:
    """Return what is left of kept pads without the files that are gone, and without verdicts on others of their names.

    Without its nearest sound a verdict can be read, but not heard.
    """
    states = [s if s.sound is None or is_file(s.sound) else PadState(None, s.group) for s in kept.states]
    verdicts = {}
    for state in states:
        pad_verdict = kept.verdicts.get(state.sound) if state.sound is not None else None
        if state.sound is not None and pad_verdict is not None and _is_unchanged(state.sound, pad_verdict):
            nearest = pad_verdict.verdict.file
            gone = nearest is not None and not is_file(nearest)
            if gone:
                pad_verdict = pad_verdict._replace(verdict=replace(pad_verdict.verdict, file=None))
            verdicts[state.sound] = pad_verdict
    return KeptPads(states, verdicts)


def _away(kept: KeptPads) -> dict[int, Path]:
    """Return the sounds whose folders are away, as on a disk that is not connected, by their pads.

    A file that is gone from its folder was removed, and another sound may get its name.
    """
    return {
        number: state.sound
        for number, state in enumerate(kept.states)
        if state.sound is not None and not is_file(state.sound) and not is_folder(state.sound.parent)
    }


def _is_unchanged(path: Path, kept: KeptVerdict) -> bool:
    try:
        return file_key(path)[1:] == (kept.size, kept.changed_ns)
    except OSError:  # it has gone since it was looked for
        return False


class PadKeeper(QObject):
    """Shows the pads of the open model, and keeps them when they or the verdicts on their sounds change."""

    def __init__(self, pads: PadGrid, verdicts: Verdicts, parent: QObject) -> None:
        super().__init__(parent)
        self._pads, self._verdicts = pads, verdicts
        self.changes = PadChanges(pads, self)
        self._model_id = ""
        self._opened = 0  # tells what was read for this model from what was read for one before
        self._is_reading = self._is_dirty = self._is_quiet = False
        #: Sounds whose folders are away, by the pads that are empty meanwhile.
        self._away: dict[int, Path] = {}
        #: Whether the pads were changed since the model was opened.
        self.has_changed = False
        self._held_requests: list[Callable[[], None]] = []
        self._tasks = TaskQueue("pads", self, keeps=True)
        self._settling = QTimer(self, singleShot=True, interval=_SETTLED)
        self._settling.timeout.connect(self._write)
        pads.held.connect(self._on_changed)
        pads.group_chosen.connect(self._on_changed)
        verdicts.found.connect(self._on_verdict_found)

    @property
    def is_reading(self) -> bool:
        """Whether the pads of the open model are being read."""
        return self._is_reading

    def open(self, model_id: str) -> None:
        """Empty the pads, then show those of a model; "" is none."""
        self._write()
        self._held_requests.clear()
        self._away = {}
        self._model_id, self._opened = model_id, self._opened + 1
        self.has_changed = self._is_dirty = False
        self._show([EMPTY] * COUNT)
        self.changes.undo_stack.clear()
        self._is_reading = bool(model_id)
        if model_id:

            def work(_notify: Callable[[Any], None], _cancel: threading.Event) -> tuple[KeptPads, dict[int, Path]]:
                kept = read_pads(model_id)
                return _present(kept), _away(kept)

            self._tasks.submit(work, partial(self._on_read, self._opened))

    def when_read(self, request: Callable[[], None]) -> None:
        """Carry out a request that needs to know which pads are empty, once that is known."""
        if self._is_reading:
            self._held_requests.append(request)
        else:
            request()

    def follow_file(self, before: Path, path: Path) -> None:
        """Hold a file under the name that it has now, also on the pads of models that are not open."""
        self.changes.follow_file(before, path)
        self._tasks.submit(lambda _notify, _cancel: rename_in_pads(before, path))

    def close(self) -> None:
        """Write what has changed, and wait for it.  Nothing can be undone any more."""
        self._write()
        self._tasks.close()
        self.changes.undo_stack.clear()  # while it exists: it says so when it is destroyed, too

    def _show(self, states: Sequence[PadState]) -> None:
        """Show what was kept, which is no change by the user."""
        self._is_quiet = True
        try:
            self.changes.show(dict(enumerate(states)))
        finally:
            self._is_quiet = False

    def _on_read(self, opened: int, read: tuple[KeptPads, dict[int, Path]]) -> None:
        if opened != self._opened:
            return
        self._is_reading = False
        kept, away = read
        pads_now = self.changes.states()  # a pad that was given a sound meanwhile keeps it
        self._show([old if new == EMPTY else new for old, new in zip(kept.states, pads_now, strict=True)])
        self._away = {number: sound for number, sound in away.items() if self._pads.pads[number].sound is None}
        self._is_quiet = True
        self._verdicts.restore(kept.verdicts)
        self._is_quiet = False
        requests, self._held_requests = self._held_requests, []
        for request in requests:
            request()

    def _on_changed(self, number: int, _what: object) -> None:
        if not self._is_quiet:
            if self._pads.pads[number].sound is not None:
                self._away.pop(number, None)
            self.changes.record(number)
            self.has_changed = self._is_dirty = True
            self._settling.start()

    def _on_verdict_found(self, sound: Path) -> None:
        if not self._is_quiet and sound in self._pads.sounds():
            self._is_dirty = True
            self._settling.start()

    def _write(self) -> None:
        """Write the pads of the open model, if they have changed."""
        self._settling.stop()
        if self._is_reading and self._is_dirty:
            self._settling.start()  # what was kept is not known yet
        elif self._is_dirty and self._model_id:
            self._is_dirty = False
            model_id, verdicts = self._model_id, self._verdicts.kept(self._pads.sounds())
            states = [
                PadState(state.sound or self._away.get(number), state.group)
                for number, state in enumerate(self.changes.states())
            ]
            self._tasks.submit(lambda _notify, _cancel: write_pads(model_id, states, verdicts))
