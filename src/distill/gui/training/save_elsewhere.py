"""Keeps a trained model that could not be written, and offers to save it in another place."""

from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from distill import paths
from distill.errors import DistillError
from distill.files import free_path
from distill.gui.widgets.background_task import BackgroundTask, error_text
from distill.gui.widgets.notices import NoticeAction, NoticeBar

_TOPIC = "unsaved"
_SUFFIX = ".distill"


class UnsavedModel(Protocol):
    """A model in memory: `distill.training.unsaved_model.UnsavedModel`, which would import torch."""

    @property
    def name(self) -> str:
        """Name of the model."""

    def save(self, target: Path) -> Path:
        """Write the model file and return its path."""


class UnsavedModelOffer(QObject):
    """Holds the newest model that could not be written, with a notice whose button saves it, until it is saved."""

    def __init__(self, notices: NoticeBar, window: QWidget, parent: QObject) -> None:
        super().__init__(parent)
        self._notices, self._window = notices, window
        self._model: UnsavedModel | None = None
        self._task: BackgroundTask | None = None
        self._message = ""
        self._run: Path | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a model that is not saved."""
        return self._model is not None

    def offer(self, model: UnsavedModel, message: str, run: Path | None) -> None:
        """Keep the model of a run and show why it could not be saved; one that was kept before is given up."""
        self._model, self._message, self._run = model, message, run
        self.show_again()

    def forget(self, run: Path | None) -> None:
        """Give the model of a run up, which has saved it by now."""
        if run == self._run:
            self._model = None
            self._notices.forget(_TOPIC)

    def show_again(self) -> None:
        """Show the notice, if there is a model and nothing is writing it."""
        if self._model is not None and self._task is None:
            action = NoticeAction(self.tr("Save model as…"), self.save_as)
            text = self.tr("{0} The model “{1}” is kept until the window is closed.")
            self._notices.notify(_TOPIC, text.format(self._message, self._model.name), "error", action)

    def save_as(self) -> None:
        """Let the user choose a file, and write the model into it."""
        if self._model is None:
            return
        proposed = Path.home() / f"{paths.slug(self._model.name)}{_SUFFIX}"
        chosen, _ = QFileDialog.getSaveFileName(
            self._window, self.tr("Save the model"), str(proposed), self.tr("Models (*{0})").format(_SUFFIX)
        )
        if chosen:
            self.save(Path(chosen))
        else:
            self.show_again()  # the notice went with the click

    def save(self, target: Path) -> None:
        """Write the model into a file, in the background."""
        if self._model is None or self._task is not None:
            return
        model = self._model

        def work(_progress: object, _cancel: object) -> Path:
            if target.suffix == _SUFFIX:  # the dialog has asked before a file is replaced
                return model.save(target)
            return model.save(free_path(target.with_name(target.name + _SUFFIX)))

        self._task = BackgroundTask(work, self)
        self._task.succeeded.connect(self._on_saved)
        self._task.failed.connect(self._on_failed)
        self._task.start()

    def refuse_to_lose(self) -> None:
        """Remind of a model that is not saved.

        Raises
        ------
        DistillError
            There is one.
        """
        if self._model is not None:
            self.show_again()
            raise DistillError(self.tr("the model “{0}” is only in memory").format(self._model.name))

    def _on_saved(self, path: Path) -> None:
        self._task, self._model = None, None
        self._notices.forget(_TOPIC)
        self._notices.notify("saved", self.tr("The model is saved as {0}.").format(path), "info")

    def _on_failed(self, error: Exception) -> None:
        self._task = None
        self._message = self.tr("The model could not be saved ({0}). Choose another folder.").format(error_text(error))
        self.show_again()
