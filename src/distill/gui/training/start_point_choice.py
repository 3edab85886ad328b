"""The start point of the next run, and its choice: nothing, a model, or a checkpoint of an earlier run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QFileDialog, QMenu

from distill import paths
from distill.config.training import AnyConfig
from distill.errors import ModelFileError, RunFolderError
from distill.gui.background_tasks import BackgroundTask
from distill.gui.training.controls import TrainingControls
from distill.gui.widgets.notices import NoticeBar
from distill.models.file_format import KIND, SUFFIX, check_format, read_settings
from distill.runs.run_record import RunRecord
from distill.serialization.archive import read_stored
from distill.training.data.known_split import KnownSplit, split_of_chain

#: Topic of notices about what the next run starts from.
TOPIC = "start"


@dataclass(frozen=True)
class StartChoice:
    """A model or a checkpoint: its file, what people call it, its settings, and its split as far as that is known."""

    path: Path
    text: str
    config: AnyConfig
    split: KnownSplit | None = None


@dataclass(frozen=True)
class RunCheckpoints:
    """The checkpoints of a run: its record, and epochs with held-out losses and files."""

    record: RunRecord
    checkpoints: tuple[tuple[int, float | None, Path], ...]


def read_model(path: Path, name: str = "") -> StartChoice:
    """Return the choice of a model file; errors are those of reading it."""
    model_data = read_stored(path, KIND, ModelFileError)
    check_format(model_data, path)
    config, metadata = read_settings(model_data, path)
    return StartChoice(path, name or metadata.name or path.stem, config, KnownSplit.from_dict(model_data.get("split")))


def read_checkpoints(folder: Path) -> RunCheckpoints:
    """Return the checkpoints of a run.

    Raises
    ------
    RunFolderError
        It has none, or is no run.
    """
    from distill.runs.checkpoint_folder import list_checkpoints  # imports torch

    record = RunRecord.load(folder)
    rows = list_checkpoints(folder / "checkpoints")
    checkpoints = tuple((row["epoch"], row["val_loss"], row["path"]) for row in rows)
    if not checkpoints:
        raise RunFolderError(
            f"“{record.model_name or folder.name}” has no checkpoint yet. Train it for an epoch first."
        )
    return RunCheckpoints(record, checkpoints)


class StartChooser(QObject):
    """Lets the user choose what the next run starts from, and shows it in the controls."""

    #: Something was chosen: the training controls are to be seen.
    chosen = Signal()
    #: Another choice was made, or none.
    changed = Signal()

    def __init__(self, controls: TrainingControls, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._controls, self._notices = controls, notices
        self.choice: StartChoice | None = None
        self._reading: BackgroundTask | None = None  # the file that was chosen last
        controls.origin_cleared.connect(self.clear)
        controls.family_chosen.connect(self._on_family_chosen)

    def choose_file(self) -> None:
        """Let the user choose a model file."""
        folder = paths.models_dir()
        dialog = QFileDialog(self._controls.window(), self.tr("Go on training from a model"), str(folder))
        dialog.setObjectName("startModelDialog")
        dialog.setNameFilter(self.tr("Models (*{0})").format(SUFFIX))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda file: self.choose_model(Path(file)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def choose_model(self, path: Path, name: str = "") -> None:
        """Start the next run from a model file."""
        self._read(lambda: read_model(path, name), self._take)

    def choose_checkpoint(self, folder: Path) -> None:
        """Let the user choose a checkpoint of a run in a menu."""
        self._read(lambda: read_checkpoints(folder), self._show_checkpoint_menu)

    def clear(self) -> None:
        """Start the next run from nothing."""
        self._cancel_reading()
        self.choice = None
        self._controls.show_origin("")
        self.changed.emit()

    def _read(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        self._cancel_reading()
        self._reading = task = BackgroundTask(lambda _progress, _cancel: work(), self)
        task.setObjectName("startChoice")
        task.succeeded.connect(then)
        task.failed.connect(self._on_failed)
        task.ended.connect(self._on_reading_ended)
        task.start()

    def _cancel_reading(self) -> None:
        """Drop what was chosen before, and is still being read."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _on_reading_ended(self) -> None:
        self._reading = None

    def _on_failed(self, error: Exception) -> None:
        self._notices.notify_error(TOPIC, error)

    def _take(self, choice: StartChoice) -> None:
        self.choice = choice
        self._controls.choose(choice.config.family, "", self._controls.epochs.value())
        self._controls.show_origin(self.tr("Starts from {0}").format(choice.text))
        self.changed.emit()
        self.chosen.emit()

    def _on_family_chosen(self, family: str) -> None:
        """Give the choice up where the next run is of another family, as with the settings of another run."""
        if self.choice is not None and family != self.choice.config.family:
            self.clear()

    def _show_checkpoint_menu(self, run: RunCheckpoints) -> None:
        run_name = run.record.model_name or run.record.dataset_name
        best_loss = min((loss for _, loss, _ in run.checkpoints if loss is not None), default=None)
        split = split_of_chain(run.record)
        menu = QMenu(self._controls.window())
        menu.setObjectName("checkpointMenu")
        for epoch, loss, path in run.checkpoints:
            checkpoint_text = self.tr("Epoch {0}").format(epoch + 1)
            if loss is not None:
                best_text = self.tr(" (best)") if loss == best_loss else ""
                checkpoint_text += self.tr(", held-out loss {0:.4g}").format(loss) + best_text
            choice_text = self.tr("epoch {0} of {1}").format(epoch + 1, run_name)
            choice = StartChoice(path, choice_text, run.record.config, split)
            menu.addAction(checkpoint_text).triggered.connect(lambda _checked=False, choice=choice: self._take(choice))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(QCursor.pos())
