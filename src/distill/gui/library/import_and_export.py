"""Takes model files into the library, and writes copies of models for others."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject
from PySide6.QtWidgets import QFileDialog

from distill.gui.desktop.show_in_folder import reveal
from distill.gui.library.background_library import BackgroundLibrary
from distill.gui.library.page import ModelsPage
from distill.gui.user_errors import error_text, is_user_error
from distill.gui.widgets.notices import NoticeAction, NoticeBar
from distill.library.model_library import ModelEntry
from distill.models.file_format import SUFFIX
from distill.names import slug

translate = QCoreApplication.translate

#: Topic of the notices about models that were exported.
TOPIC = "models"


class ModelFiles(QObject):
    """Imports and exports model files, by dialogs and by drops; ``show_model`` brings a model to the front."""

    def __init__(
        self,
        page: ModelsPage,
        worker: BackgroundLibrary,
        show_model: Callable[[Path], None],
        notices: NoticeBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._page, self._worker, self._show_model, self._notices = page, worker, show_model, notices
        self._dialog: QFileDialog | None = None

    def take_drop(self, paths: Sequence[Path]) -> list[Path]:
        """Import the model files among dropped files, and return the others."""
        imported = [path for path in paths if path.suffix.lower() == SUFFIX]  # by its name: the disk may not answer
        self.import_files(imported)
        return [path for path in paths if path not in imported]

    def import_files(self, paths: Sequence[Path]) -> None:
        """Copy model files into the library and show the last one; report those that cannot be used."""
        imported_models: list[Path] = []
        for number, path in enumerate(paths, 1):
            self._import(path, imported_models, is_last=number == len(paths))

    def _import(self, path: Path, imported_models: list[Path], is_last: bool) -> None:
        """Import a file; ``imported_models`` are the models of those before it, of which the last one is shown."""
        library_files = {entry.path for entry in self._page.list.table.items}

        def show_last() -> None:
            if is_last and imported_models:
                self._show_model(imported_models[-1])

        def on_done(entry: ModelEntry) -> None:
            text = (
                translate("ModelsPresenter", "This model is in your models already: “{0}”.")
                if entry.path in library_files
                else translate("ModelsPresenter", "“{0}” was added to your models.")
            )
            self._notices.notify(f"model {path}", text.format(entry.name), "info")
            imported_models.append(entry.path)
            show_last()

        def on_failed(error: Exception) -> None:
            show_last()
            if not is_user_error(error):
                self._worker.report(error)
                return
            text = translate("ModelsPresenter", "{0} was not opened: {1}").format(path.name, error_text(error))
            self._notices.notify(f"model {path}", text, "error")

        self._worker.do(lambda library: library.import_file(path), on_done, on_failed)

    def choose_imports(self) -> None:
        """Let the user choose model files to import."""
        dialog = QFileDialog(self._page, translate("ModelsPresenter", "Import models"), str(Path.home()))
        dialog.setObjectName("importModelDialog")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setNameFilters(
            [
                translate("ModelsPresenter", "Distill models (*{0})").format(SUFFIX),
                translate("ModelsPresenter", "All files (*)"),
            ]
        )
        dialog.filesSelected.connect(lambda names: self.import_files([Path(name) for name in names]))
        self._open(dialog)

    def choose_export(self, entry: ModelEntry) -> None:
        """Let the user choose where to write a copy of a model."""
        dialog = QFileDialog(
            self._page, translate("ModelsPresenter", "Export a copy of “{0}”").format(entry.name), str(Path.home())
        )
        dialog.setObjectName("exportModelDialog")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)  # nothing is overwritten: the copy gets a number
        dialog.setNameFilter(translate("ModelsPresenter", "Distill models (*{0})").format(SUFFIX))
        dialog.setDefaultSuffix(SUFFIX.removeprefix("."))
        dialog.selectFile(f"{slug(entry.name, 'model')}{SUFFIX}")
        dialog.fileSelected.connect(lambda name: self._export(entry, Path(name)))
        self._open(dialog)

    def _export(self, entry: ModelEntry, target: Path) -> None:
        def on_done(path: Path) -> None:
            self._notices.notify(
                TOPIC, translate("ModelsPresenter", "A copy of “{0}” is in {1}.").format(entry.name, path), "info",
                NoticeAction(translate("ModelsPresenter", "Show in folder"), lambda: reveal(path, self)),
            )  # fmt: skip

        self._worker.do(lambda library: library.export(entry.path, target), on_done)

    def _open(self, dialog: QFileDialog) -> None:
        if self._dialog is not None:
            self._dialog.close()
        self._dialog = dialog
        dialog.finished.connect(lambda _result: self._on_dialog_finished(dialog))
        dialog.open()

    def _on_dialog_finished(self, dialog: QFileDialog) -> None:
        if self._dialog is dialog:
            self._dialog = None
        dialog.deleteLater()
