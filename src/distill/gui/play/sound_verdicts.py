"""How new the sounds of the Play page are, as far as it is known, and in words: how near each is to the user's own."""

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtCore import QCoreApplication, QObject, Signal

from distill.audio.cache.hash_index import Key, file_key
from distill.generation.map.map_session import MapSession
from distill.generation.map.newness import CLOSE, COPY, NEW, JudgedSound, Verdict
from distill.gui.background_tasks import TaskQueue


class KeptVerdict(NamedTuple):
    """A verdict, and what it holds for.

    Attributes
    ----------
    verdict
        How new the sound is.
    size, changed_ns
        Of the sound's file when it was compared.
    model_changed_ns
        When the model was written whose sounds it was compared with.
    """

    verdict: Verdict
    size: int
    changed_ns: int
    model_changed_ns: int


class Verdicts(QObject):
    """Compares sounds with those of the open model, one after the other in the background, and keeps the verdicts."""

    #: The verdict on a sound is known, or is another one now.
    found = Signal(object)  # Path

    def __init__(self, session: MapSession, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._verdicts: dict[Path, Verdict] = {}
        self._keys: dict[Path, Key] = {}  # what their files were like then
        self._model_changed_ns = 0
        self._waiting: set[Path] = set()  # submitted to the queue below
        self._tasks = TaskQueue("how new", self)
        self._tasks.idle.connect(self._waiting.clear)

    def open(self, model_changed_ns: int) -> None:
        """Forget all verdicts: another model is opened, which was written at this time."""
        self._model_changed_ns = model_changed_ns
        for kept_by_path in (self._verdicts, self._keys, self._waiting):
            kept_by_path.clear()
        self._tasks.clear()
        self._tasks.cancel()

    def close(self) -> None:
        """Compare no more sounds."""
        self._tasks.clear()

    def of(self, path: Path | None) -> Verdict | None:
        """Return the verdict on a sound, or None where it is not known."""
        return self._verdicts.get(path) if path is not None else None

    def judge(self, path: Path) -> None:
        """Find out how new a sound is, unless that is known and its file has not changed."""
        if path in self._waiting:
            return
        self._waiting.add(path)
        session, judged_key = self._session, self._keys.get(path)

        def work(_notify: Callable[[Any], None], _cancel: threading.Event) -> tuple[Key, JudgedSound]:
            key = file_key(path)
            return key, JudgedSound(path, None) if key == judged_key else session.judged(path)

        # An error is not shown: the sound is there all the same.
        self._tasks.submit(work, self._on_judged, lambda _error: None)

    def forget(self, path: Path) -> None:
        """Forget a sound that is gone: another file may get its name."""
        self._verdicts.pop(path, None)
        self._keys.pop(path, None)
        self._waiting.discard(path)

    def follow_file(self, before: Path, path: Path) -> None:
        """Know a sound under the name that its file has now."""
        if before in self._verdicts:
            self._verdicts[path] = self._verdicts.pop(before)
            _, size, changed_ns = self._keys.pop(before)
            self._keys[path] = (str(path.absolute()), size, changed_ns)

    def kept(self, sounds: Iterable[Path]) -> dict[Path, KeptVerdict]:
        """Return what to keep of the verdicts on some sounds."""
        return {
            sound: KeptVerdict(self._verdicts[sound], *self._keys[sound][1:], self._model_changed_ns)
            for sound in sounds
            if sound in self._verdicts
        }

    def restore(self, kept: Mapping[Path, KeptVerdict]) -> None:
        """Take verdicts of an earlier session on files that are as they were then, unless the model is another one."""
        for sound, kept_verdict in kept.items():
            if kept_verdict.model_changed_ns == self._model_changed_ns and sound not in self._verdicts:
                self._verdicts[sound] = kept_verdict.verdict
                self._keys[sound] = (str(sound.absolute()), kept_verdict.size, kept_verdict.changed_ns)
                self.found.emit(sound)

    def _on_judged(self, judged: tuple[Key, JudgedSound]) -> None:
        key, sound = judged
        if sound.path not in self._waiting:  # it was superseded meanwhile
            return
        self._waiting.discard(sound.path)
        if sound.verdict is not None:  # otherwise nobody knows, or nothing has changed
            self._verdicts[sound.path], self._keys[sound.path] = sound.verdict, key
            self.found.emit(sound.path)


def word_of(verdict: Verdict | None) -> str:
    """Return the word for how new a sound is, or nothing where that is not known."""
    words = {
        NEW: QCoreApplication.translate("verdict", "new"),
        CLOSE: QCoreApplication.translate("verdict", "close"),
        COPY: QCoreApplication.translate("verdict", "copy"),
    }
    return words[verdict.word] if verdict is not None else ""


def verdict_text(verdict: Verdict) -> str:
    """Return a sentence about how new a sound is."""
    texts = {
        NEW: QCoreApplication.translate("verdict", "New. Sounds most like {0}"),
        CLOSE: QCoreApplication.translate("verdict", "Sounds much like {0}"),
        COPY: QCoreApplication.translate("verdict", "Sounds like a copy of {0}"),
    }
    return texts[verdict.word].format(verdict.name)
