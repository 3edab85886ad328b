"""Keeps trained models that could not be written, and offers to save them in another place."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from distill.errors import DistillError
from distill.files import free_path
from distill.gui.background_tasks import BackgroundTask
from distill.gui.user_errors import error_text
from distill.gui.widgets.notices import NoticeAction, NoticeBar
from distill.names import slug

_TOPIC = "unsaved"
_SUFFIX = ".distill"


class UnsavedModel(Protocol):
    """A model in memory: `distill.training.ending.finalize.UnsavedModel`, which would import torch."""

    @property
    def name(self) -> str:
        """Name of the model."""

    def save(self, target: Path) -> Path:
        """Write the model file and return its path."""


@dataclass(frozen=True)
class _UnwrittenModel:
    """A model that could not be written, and why."""

    model: UnsavedModel
    message: str


class UnsavedModelOffer(QObject):
    """Holds the models that could not be written, with a notice whose button saves the newest, until all are saved."""

    def __init__(self, notices: NoticeBar, window: QWidget, parent: QObject) -> None:
        super().__init__(parent)
        self._notices, self._window = notices, window
        self._unsaved_models: dict[Path | None, _UnwrittenModel] = {}  # by their runs, the newest last
        self._saving: BackgroundTask | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a model that is not saved."""
        return bool(self._unsaved_models)

    def offer(self, model: UnsavedModel, message: str, run: Path | None) -> None:
        """Keep the model of a run and show why it could not be saved; an earlier one of the same run is given up."""
        self._unsaved_models.pop(run, None)
        self._unsaved_models[run] = _UnwrittenModel(model, message)
        self.show_again()

    def forget(self, run: Path | None) -> None:
        """Give the model of a run up, which has saved it by now."""
        if self._unsaved_models.pop(run, None) is not None:
            self._notices.forget(_TOPIC)
            self.show_again()

    def show_again(self) -> None:
        """Show the notice, if there is a model and nothing is writing one."""
        if self._unsaved_models and self._saving is None:
            unwritten = self._unsaved_models[self._newest_run]
            action = NoticeAction(self.tr("Save model as…"), self.save_as)
            text = self.tr("{0} The model “{1}” is kept until the window is closed.")
            if len(self._unsaved_models) > 1:
                text = self.tr("{0} The model “{1}” is kept until the window is closed, as are {2} others.")
                if len(self._unsaved_models) == 2:
                    text = self.tr("{0} The model “{1}” is kept until the window is closed, as is another one.")
            notice_text = text.format(unwritten.message, unwritten.model.name, len(self._unsaved_models) - 1)
            self._notices.notify(_TOPIC, notice_text, "error", action)

    @property
    def _newest_run(self) -> Path | None:
        """The run whose model is offered."""
        return next(reversed(self._unsaved_models))

    def save_as(self) -> None:
        """Let the user choose a file, and write the newest model into it."""
        if not self._unsaved_models:
            return
        run = self._newest_run
        proposed_file = Path.home() / f"{slug(self._unsaved_models[run].model.name)}{_SUFFIX}"
        chosen_file, _ = QFileDialog.getSaveFileName(
            self._window, self.tr("Save the model"), str(proposed_file), self.tr("Models (*{0})").format(_SUFFIX)
        )
        if chosen_file and run in self._unsaved_models:
            self._save(Path(chosen_file), run)
        else:
            self.show_again()  # the notice went with the click

    def save(self, target: Path) -> None:
        """Write the newest model into a file, in the background."""
        if self._unsaved_models:
            self._save(target, self._newest_run)

    def _save(self, target: Path, run: Path | None) -> None:
        if self._saving is not None:
            return
        unwritten = self._unsaved_models[run]

        def work(_progress: object, _cancel: object) -> Path:
            if target.suffix == _SUFFIX:  # the dialog has asked before a file is replaced
                return unwritten.model.save(target)
            return unwritten.model.save(free_path(target.with_name(target.name + _SUFFIX)))

        self._saving = BackgroundTask(work, self, keeps=True)
        self._saving.succeeded.connect(lambda path: self._on_saved(path, run, unwritten))
        self._saving.failed.connect(lambda error: self._on_failed(error, run, unwritten))
        self._saving.ended.connect(self._on_ended)
        self._saving.start()

    def refuse_to_lose(self) -> None:
        """Remind of the models that are not saved.

        Raises
        ------
        DistillError
            There are some.
        """
        if self._unsaved_models:
            self.show_again()
            unsaved_models = [unwritten.model.name for unwritten in self._unsaved_models.values()]
            if len(unsaved_models) == 1:
                raise DistillError(self.tr("the model “{0}” is only in memory").format(unsaved_models[0]))
            raise DistillError(self.tr("the models “{0}” are only in memory").format("”, “".join(unsaved_models)))

    def _on_saved(self, path: Path, run: Path | None, unwritten: _UnwrittenModel) -> None:
        self._saving = None
        if self._unsaved_models.get(run) is unwritten:  # not a newer one of the same run
            del self._unsaved_models[run]
        self._notices.forget(_TOPIC)
        self._notices.notify("saved", self.tr("The model is saved as {0}.").format(path), "info")
        self.show_again()

    def _on_failed(self, error: Exception, run: Path | None, unwritten: _UnwrittenModel) -> None:
        self._saving = None
        if self._unsaved_models.get(run) is unwritten:
            text = self.tr("The model could not be saved ({0}). Choose another folder.").format(error_text(error))
            self._unsaved_models[run] = replace(unwritten, message=text)
        self.show_again()

    def _on_ended(self) -> None:
        if self._saving is not None:  # a bug, which was reported: the model is still there
            self._saving = None
            self.show_again()
