"""Keeps trained models that could not be written, and offers to save them in another place."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from distill.errors import DistillError
from distill.files import free_path
from distill.gui.background.background_tasks import BackgroundTask
from distill.gui.user_errors import error_text
from distill.gui.widgets.notices import NoticeAction, NoticeBar
from distill.names import slug

_TOPIC = "unsaved"
_SUFFIX = ".distill"


class UnsavedModel(Protocol):
    """A model in memory: `distill.training.ending.unsaved_model.UnsavedModel`, which would import torch."""

    @property
    def name(self) -> str:
        """Name of the model."""

    def save(self, target: Path) -> Path:
        """Write the model file and return its path."""


@dataclass(frozen=True)
class _Kept:
    """A model that could not be written, and why."""

    model: UnsavedModel
    message: str


class UnsavedModelOffer(QObject):
    """Holds the models that could not be written, with a notice whose button saves the newest, until all are saved."""

    def __init__(self, notices: NoticeBar, window: QWidget, parent: QObject) -> None:
        super().__init__(parent)
        self._notices, self._window = notices, window
        self._kept: dict[Path | None, _Kept] = {}  # by their runs, the newest last
        self._task: BackgroundTask | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a model that is not saved."""
        return bool(self._kept)

    def offer(self, model: UnsavedModel, message: str, run: Path | None) -> None:
        """Keep the model of a run and show why it could not be saved; an earlier one of the same run is given up."""
        self._kept.pop(run, None)
        self._kept[run] = _Kept(model, message)
        self.show_again()

    def forget(self, run: Path | None) -> None:
        """Give the model of a run up, which has saved it by now."""
        if self._kept.pop(run, None) is not None:
            self._notices.forget(_TOPIC)
            self.show_again()

    def show_again(self) -> None:
        """Show the notice, if there is a model and nothing is writing one."""
        if self._kept and self._task is None:
            kept = self._kept[self._newest]
            action = NoticeAction(self.tr("Save model as…"), self.save_as)
            text = self.tr("{0} The model “{1}” is kept until the window is closed.")
            if len(self._kept) > 1:
                text = self.tr("{0} The model “{1}” is kept until the window is closed, as are {2} others.")
                if len(self._kept) == 2:
                    text = self.tr("{0} The model “{1}” is kept until the window is closed, as is another one.")
            shown = text.format(kept.message, kept.model.name, len(self._kept) - 1)
            self._notices.notify(_TOPIC, shown, "error", action)

    @property
    def _newest(self) -> Path | None:
        """The run whose model is offered."""
        return next(reversed(self._kept))

    def save_as(self) -> None:
        """Let the user choose a file, and write the newest model into it."""
        if not self._kept:
            return
        run = self._newest
        proposed = Path.home() / f"{slug(self._kept[run].model.name)}{_SUFFIX}"
        chosen, _ = QFileDialog.getSaveFileName(
            self._window, self.tr("Save the model"), str(proposed), self.tr("Models (*{0})").format(_SUFFIX)
        )
        if chosen and run in self._kept:
            self._save(Path(chosen), run)
        else:
            self.show_again()  # the notice went with the click

    def save(self, target: Path) -> None:
        """Write the newest model into a file, in the background."""
        if self._kept:
            self._save(target, self._newest)

    def _save(self, target: Path, run: Path | None) -> None:
        if self._task is not None:
            return
        kept = self._kept[run]

        def work(_progress: object, _cancel: object) -> Path:
            if target.suffix == _SUFFIX:  # the dialog has asked before a file is replaced
                return kept.model.save(target)
            return kept.model.save(free_path(target.with_name(target.name + _SUFFIX)))

        self._task = BackgroundTask(work, self, keeps=True)
        self._task.succeeded.connect(lambda path: self._on_saved(path, run, kept))
        self._task.failed.connect(lambda error: self._on_failed(error, run, kept))
        self._task.ended.connect(self._on_ended)
        self._task.start()

    def refuse_to_lose(self) -> None:
        """Remind of the models that are not saved.

        Raises
        ------
        DistillError
            There are some.
        """
        if self._kept:
            self.show_again()
            unsaved_models = [kept.model.name for kept in self._kept.values()]
            if len(unsaved_models) == 1:
                raise DistillError(self.tr("the model “{0}” is only in memory").format(unsaved_models[0]))
            raise DistillError(self.tr("the models “{0}” are only in memory").format("”, “".join(unsaved_models)))

    def _on_saved(self, path: Path, run: Path | None, kept: _Kept) -> None:
        self._task = None
        if self._kept.get(run) is kept:  # not a newer one of the same run
            del self._kept[run]
        self._notices.forget(_TOPIC)
        self._notices.notify("saved", self.tr("The model is saved as {0}.").format(path), "info")
        self.show_again()

    def _on_failed(self, error: Exception, run: Path | None, kept: _Kept) -> None:
        self._task = None
        if self._kept.get(run) is kept:
            text = self.tr("The model could not be saved ({0}). Choose another folder.").format(error_text(error))
            self._kept[run] = replace(kept, message=text)
        self.show_again()

    def _on_ended(self) -> None:
        if self._task is not None:  # a bug, which was reported: the model is still there
            self._task = None
            self.show_again()
