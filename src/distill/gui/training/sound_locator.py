"""Says which sounds of a run are missing, and lets the user show the folder where they are now."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from distill.gui.widgets.background import BackgroundTask
from distill.gui.widgets.notices import NoticeAction, NoticeBar
from distill.runs.folder import RunRecord
from distill.runs.loaded_run import missing_sounds

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
        self._start = Path.home()

    def check(self, run: Path, searched: Path | None = None) -> None:
        """Look, in the background, whether a run could not be resumed because its sounds are missing.

        ``searched`` is the folder in which they were looked for, besides their former ones.
        """

        def work(_notify: object, _cancelled: object) -> tuple[RunRecord, tuple[Path, ...]]:
            record = RunRecord.load(run)
            return record, missing_sounds(record)

        task = BackgroundTask(work, self)
        task.setObjectName("missingSounds")
        task.succeeded.connect(lambda found: self.report(found[0], found[1], searched))
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
        self._start = next((p for p in missing[0].parents if p.is_dir()), Path.home())
        where = self.tr("are not where they were") if searched is None else self.tr("are not in {0}").format(searched)
        text = self.tr("{0} of the {1} sounds of “{2}” {3}: {4}. Show the folder where they are now, or put them back.")
        text = text.format(len(missing), len(record.file_paths), record.model_name or record.dataset_name, where, names)
        self._notices.forget(_FAILED_TOPIC)
        self._notices.notify(
            MISSING_TOPIC, text, "warning", NoticeAction(self.tr("Locate sounds…"), self._choose_folder)
        )

    def forget(self) -> None:
        """Remove the notice."""
        self._notices.forget(MISSING_TOPIC)

    def _choose_folder(self) -> None:
        dialog = QFileDialog(self._window.window(), self.tr("Folder where the sounds are now"), str(self._start))
        dialog.setObjectName("locateSoundsDialog")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(lambda folder: self.folder_chosen.emit(Path(folder)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
