"""Reads in the background which of the user's sounds the reconstructions of a run are copies of."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from distill.errors import RunFolderError
from distill.gui.background_tasks import BackgroundTask
from distill.runs.preview_files import PreviewSound, Slot
from distill.runs.run_record import RunRecord

log = logging.getLogger(__name__)

#: Names of the reconstructed sounds, and the numbers of those that are trained on.
_Sources = tuple[tuple[str, ...], tuple[int, ...]]


class PreviewSources(QObject):
    """The names of the reconstructed sounds of one run.

    The records of old runs do not contain them.
    """

    #: The names have changed.
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder: Path | None = None
        self._names: tuple[str, ...] = ()
        self._trained_sources: frozenset[int] = frozenset()
        self._task: BackgroundTask | None = None

    def name_of(self, sound: PreviewSound) -> str | None:
        """Return the name of the file that a reconstruction is a copy of; None if unknown."""
        return self.name_at(sound.slot) if sound.folder == self._folder else None

    def name_at(self, slot: Slot) -> str | None:
        """Return the name of the file that the reconstructions of a column are copies of; None if unknown."""
        return self._names[slot.number] if slot.is_pair and slot.number < len(self._names) else None

    def is_trained(self, slot: Slot) -> bool:
        """Return whether the model is trained on the sound of a column; otherwise it is held out."""
        return slot.is_pair and slot.number in self._trained_sources

    def open(self, folder: Path | None) -> None:
        """Read the names for the previews of a run; None clears them."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._folder = folder
        self._show(((), ()))
        if folder is None:
            return

        def work(_notify: Callable[[Any], None], _cancelled: threading.Event) -> _Sources:
            try:
                record = RunRecord.load(folder.parent)
                return tuple(path.name for path in record.preview_sounds), tuple(record.preview_training)
            except (RunFolderError, OSError) as exc:  # the previews can be played all the same
                log.info("The names of the sounds behind the previews are not known: %s", exc)
                return (), ()

        self._task = BackgroundTask(work, self)
        self._task.setObjectName("previewSources")
        self._task.succeeded.connect(self._show)
        self._task.start()

    def _show(self, sources: _Sources) -> None:
        self._names, self._trained_sources = sources[0], frozenset(sources[1])
        self.changed.emit()
