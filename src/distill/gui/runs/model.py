"""The rows of the list of runs, and their texts."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QWidget

from distill.config.family_catalog import FAMILIES
from distill.events import UNSAVED
from distill.gui.lists.list_model import ListModel
from distill.gui.widgets.formatting import count_of, format_date
from distill.gui.widgets.plain_text import readable, rich_tip
from distill.runs.summary import RunSummary

Index = QModelIndex | QPersistentModelIndex


class RunModel(ListModel[RunSummary]):
    """Runs, the newest first.  The run that the window shows is marked."""

    #: The user has typed another name.
    renamed = Signal(object, str)  # folder, name

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(lambda run: run.folder, parent)

    def show_shown(self, folder: Path | None) -> None:
        """Mark the run that the window shows."""
        self.set_marked([] if folder is None else [folder])

    def item_data(self, item: RunSummary, role: int) -> Any:
        """Return what a row shows."""
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return item.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            shown = [self.tr("shown")] if self.is_marked(item) else []
            return ", ".join([item.name, self.status_text(item), *shown, self.facts(item), self.progress_text(item)])
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(item)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return the flags of a row: a run that is training or unreadable cannot be renamed."""
        flags = super().flags(index)
        if index.isValid() and self.item(index.row()).status not in ("running", "unreadable"):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Request another name; the row shows it once it is stored."""
        name = str(value).strip()
        if role != Qt.ItemDataRole.EditRole or not name or name == self.item(index.row()).name:
            return False
        self.renamed.emit(self.item(index.row()).folder, name)
        return True

    def status_text(self, run: RunSummary) -> str:
        """Return a run's status in a word."""
        if run.host:
            return self.tr("training on {0}").format(readable(run.host))
        return {
            "finished": self.tr("finished"),
            "paused": self.tr("paused"),
            "interrupted": self.tr("interrupted"),
            "failed": self.tr("failed"),
            UNSAVED: self.tr("could not be saved"),
            "running": self.tr("training"),
        }.get(run.status, self.tr("unreadable"))

    def facts(self, run: RunSummary) -> str:
        """Return when it was started, on how many sounds, and its family."""
        sounds = count_of(run.sounds, self.tr("1 sound"), self.tr("{0} sounds"))
        family = next((row.plain_name for row in FAMILIES if row.label == run.family), run.family)
        known = [format_date(run.created), sounds, family] if family else [run.folder.name]
        return " · ".join(part for part in known if part)

    def progress_text(self, run: RunSummary) -> str:
        """Return how many epochs were trained, and which of them is the best: the one that the model is from."""
        if run.status == "unreadable":
            return run.problem
        done = self.tr("{0} of {1} epochs trained").format(run.progress.epochs, run.epochs_asked)
        best, number = run.progress.best_loss, run.progress.best_epoch
        if best is None or number is None:
            return done
        return self.tr("{0} · best epoch {1}, loss {2:.4g}").format(done, number, best)

    def _tip(self, run: RunSummary) -> str:
        meaning = {
            "finished": self.tr("Finished. Set more epochs to continue it."),
            "paused": self.tr("Paused, with a checkpoint. Resume continues from there."),
            "interrupted": self.tr("Distill was closed while it trained. Resume continues from the last checkpoint."),
            "failed": self.tr("It ended with an error: {0}").format(run.problem),
            UNSAVED: run.problem,
            "running": self.tr("It is training now, in this window or in another Distill.")
            if not run.host
            else self.tr(
                "It is training on {0}. You can watch it here, and resume it two minutes after that computer has "
                "stopped or has lost its connection."
            ).format(readable(run.host)),
        }.get(run.status, run.problem)
        best = self.tr("The curve is the loss on held-out sounds. The model is from its lowest point.")
        return rich_tip(run.name, meaning, best, run.folder.name)
