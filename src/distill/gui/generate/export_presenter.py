"""Exports generated sounds for other programs: asks how and where to, writes them, and says where they are."""

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject
from PySide6.QtWidgets import QWidget

from distill.generation import export_sounds
from distill.generation.export_sounds import ExportRequest
from distill.generation.history.sound_history import ListedSound
from distill.gui.background_tasks import BackgroundTask
from distill.gui.desktop.dialog_folders import StartFolders
from distill.gui.desktop.show_in_folder import reveal
from distill.gui.generate.export_dialog import ExportChoices, ExportDialog
from distill.gui.generate.history_panel import HistoryPanel
from distill.gui.widgets.notices import NoticeAction, NoticeBar

translate = QCoreApplication.translate

#: Topic of the notices about exports.
TOPIC = "export"


class SoundExportPresenter(QObject):
    """Opens the dialog for the sounds that are chosen, and carries its request out."""

    def __init__(
        self,
        panel: HistoryPanel,
        window: QWidget,
        choices: ExportChoices,
        starts: StartFolders,
        notices: NoticeBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._window, self._choices, self._dialog_folders, self._notices = window, choices, starts, notices
        panel.exporting_requested.connect(self._on_exporting_requested)

    def _on_exporting_requested(self, sounds: list[ListedSound]) -> None:
        dialog = ExportDialog([s.entry for s in sounds], self._choices, self._dialog_folders, self._window.window())
        dialog.export_requested.connect(self.export)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def export(self, request: ExportRequest) -> None:
        """Export generated sounds for other programs."""
        self._notices.forget(TOPIC)
        task = BackgroundTask(lambda notify, cancel: export_sounds.export(request, notify, cancel), self)
        task.setObjectName("export")
        task.succeeded.connect(self._on_exported)
        task.failed.connect(lambda error: self._notices.notify_error(TOPIC, error))
        task.start()

    def _on_exported(self, files: list[Path]) -> None:
        if files:
            text = (
                translate("GeneratePresenter", "Exported {0} to {1}.").format(files[0].name, files[0].parent)
                if len(files) == 1
                else translate("GeneratePresenter", "Exported {0} sounds to {1}.").format(len(files), files[0].parent)
            )
            action = NoticeAction(translate("GeneratePresenter", "Show in folder"), lambda: reveal(files[0], self))
            self._notices.notify(TOPIC, text, "info", action)
