"""Which of the user's own sounds the reconstructions of a run were made from, read off the window's thread."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from distill import diagnostics
from distill.errors import RunFolderError
from distill.gui.widgets.background import BackgroundTask
from distill.runs.folder import RunRecord
from distill.runs.preview_sound import PreviewSound, Slot

log = logging.getLogger(__name__)


class PreviewSources(QObject):
    """The names of the files behind the previews of one run.

    They are told where they are known: the record of a run that was made before it held them says nothing.
    """

    #: Other names are known now.
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder: Path | None = None
        self._names: tuple[str, ...] = ()
        self._task: BackgroundTask | None = None

    def name_of(self, sound: PreviewSound) -> str | None:
        """Return the name of the file that a reconstruction was made from; None where nobody knows."""
        return self.name_at(sound.slot) if sound.path.parent == self._folder else None

    def name_at(self, slot: Slot) -> str | None:
        """Return the name of the file that a column's reconstructions were made from; None where nobody knows."""
        return self._names[slot.number] if slot.is_pair and slot.number < len(self._names) else None

    def open(self, folder: Path | None) -> None:
        """Go to the previews of a run; None when none is shown."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._folder = folder
        self._show(())
        if folder is None:
            return

        def work(_notify: Callable[[Any], None], _cancelled: threading.Event) -> tuple[str, ...]:
            try:
                return tuple(path.name for path in RunRecord.load(folder.parent).preview_sounds)
            except (RunFolderError, OSError) as exc:  # the previews can be played all the same
                log.info("The names of the sounds behind the previews are not known: %s", exc)
                return ()

        self._task = BackgroundTask(work, self)
        self._task.setObjectName("previewSources")
        self._task.succeeded.connect(self._show)
        self._task.failed.connect(diagnostics.report)
        self._task.start()

    def _show(self, names: tuple[str, ...]) -> None:
        self._names = names
        self.changed.emit()
