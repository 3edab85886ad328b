"""Says which sounds of a run are missing, and lets the user show the folder where they are now."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from distill.gui.background_tasks import BackgroundTask
from distill.gui.widgets.notices import NoticeAction, NoticeBar
from distill.runs.loaded_run import missing_sounds
from distill.runs.run_record import RunRecord

#: Topic of the notice about missing sounds.
MISSING_TOPIC = "missing sounds"

#: Topic of the notice why a run has failed, which says the same without the button.
_FAILED_TOPIC = "run"

#: Missing sounds that are named.
NAMED = 3


class SoundLocator(QObject):
    """Shows a notice about missing sounds, with a button that asks for their folder."""

    #: The run's sounds are in this folder now.
    folder_chosen = Signal(object)  # Path

    def __init__(self, window: QWidget, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._window, self._notices = window, notices
        self._search_folder = Path.home()
        self._finding_folder: BackgroundTask | None = None
        self._checking_sounds: BackgroundTask | None = None

    def check(self, run: Path, searched: Path | None = None) -> None:
        """Look, in the background, whether a run could not be resumed because its sounds are missing.

        ``searched`` is the folder in which they were looked for, besides their former ones.
        """

        def work(_notify: object, _cancelled: object) -> tuple[RunRecord, tuple[Path, ...]]:
            record = RunRecord.load(run)
            return record, missing_sounds(record)

        self.forget()
        self._checking_sounds = task = BackgroundTask(work, self)
        task.setObjectName("missingSounds")
        task.succeeded.connect(lambda answer: self.report(answer[0], answer[1], searched))
        task.failed.connect(lambda _error: None)  # why the run failed has been said
        task.start()

    def report(self, record: RunRecord, missing: Sequence[Path], searched: Path | None = None) -> None:
        """Say which sounds of a run are missing, if there are any."""
        if not missing:
            self.forget()
            return
        names = ", ".join(path.name for path in missing[:NAMED])
        if len(missing) > NAMED:
            names = self.tr("{0} and {1} more").format(names, len(missing) - NAMED)
        self._find_search_folder(missing[0])
        if len(missing) == 1:
            where = self.tr("is not where it was") if searched is None else self.tr("is not in {0}").format(searched)
            advice = self.tr("Show the folder where it is now, or put it back.")
        else:
            where = self.tr("are not where they were")
            where = where if searched is None else self.tr("are not in {0}").format(searched)
            advice = self.tr("Show the folder where they are now, or put them back.")
        text = self.tr("{0} of the {1} sounds of “{2}” {3}: {4}.") + " " + advice
        text = text.format(len(missing), len(record.file_paths), record.model_name or record.dataset_name, where, names)
        self._notices.forget(_FAILED_TOPIC)
        self._notices.notify(
            MISSING_TOPIC, text, "warning", NoticeAction(self.tr("Locate sounds…"), self._choose_folder)
        )

    def forget(self) -> None:
        """Remove the notice, and find out no more for it: another run is shown, or this one goes on."""
        if self._checking_sounds is not None:
            self._checking_sounds.cancel()
            self._checking_sounds = None
        self._notices.forget(MISSING_TOPIC)

    def _find_search_folder(self, sound: Path) -> None:
        """Find the folder in which the search begins, in the background: a share that is gone takes long to answer."""
        if self._finding_folder is not None:
            self._finding_folder.cancel()
        self._search_folder = Path.home()
        task = BackgroundTask(lambda _progress, _cancel: _nearest_folder(sound), self)
        task.setObjectName("nearestFolder")
        task.succeeded.connect(self._on_search_folder_found)
        self._finding_folder = task
        task.start()

    def _on_search_folder_found(self, folder: Path) -> None:
        self._search_folder = folder

    def _choose_folder(self) -> None:
        title = self.tr("Folder where the sounds are now")
        dialog = QFileDialog(self._window.window(), title, str(self._search_folder))
        dialog.setObjectName("locateSoundsDialog")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(lambda folder: self.folder_chosen.emit(Path(folder)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


def _nearest_folder(sound: Path) -> Path:
    """Return the folder nearest to where a sound was that is still there."""
    for folder in sound.parents:
        with suppress(OSError):
            if folder.is_dir():
                return folder
    return Path.home()
