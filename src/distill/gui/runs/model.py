"""The rows of the list of runs: what each says, in words."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QDateTime,
    QLocale,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtWidgets import QWidget

from distill.runs.summary import RunSummary

#: The `RunSummary` of a row, and whether it is the run that is shown.
RUN_ROLE, SHOWN_ROLE = Qt.ItemDataRole.UserRole + 1, Qt.ItemDataRole.UserRole + 2

Index = QModelIndex | QPersistentModelIndex


class RunModel(QAbstractListModel):
    """Runs, the newest first."""

    #: The user has typed another name.
    renamed = Signal(object, str)  # folder, name

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: list[RunSummary] = []
        self._shown: Path | None = None

    @property
    def runs(self) -> tuple[RunSummary, ...]:
        """The runs, in order."""
        return tuple(self._runs)

    def set_runs(self, runs: Sequence[RunSummary]) -> None:
        """Take on what there is now; rows of runs that stay are kept, and with them the selection."""
        wanted = {run.folder for run in runs}
        for row in range(len(self._runs) - 1, -1, -1):
            if self._runs[row].folder not in wanted:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._runs[row]
                self.endRemoveRows()
        if [r.folder for r in self._runs] != [r.folder for r in runs if r.folder in {o.folder for o in self._runs}]:
            self.beginResetModel()  # a clock was set back: the order is another
            self._runs = list(runs)
            self.endResetModel()
            return
        for row, run in enumerate(runs):
            if row < len(self._runs) and self._runs[row].folder == run.folder:
                self._replace(row, run)
            else:
                self.beginInsertRows(QModelIndex(), row, row)
                self._runs.insert(row, run)
                self.endInsertRows()

    def update_run(self, run: RunSummary) -> None:
        """Take on what is known of one run now."""
        row = self.row_of(run.folder)
        if row >= 0:
            self._replace(row, run)

    def show_shown(self, folder: Path | None) -> None:
        """Mark the run that the window shows."""
        before, self._shown = self._shown, folder
        for path in (before, folder):
            row = -1 if path is None else self.row_of(path)
            if row >= 0:
                self.dataChanged.emit(self.index(row), self.index(row))

    def row_of(self, folder: Path) -> int:
        """Return the row of a run, or -1."""
        return next((n for n, run in enumerate(self._runs) if run.folder == folder), -1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        """Return the number of runs."""
        return 0 if parent.isValid() else len(self._runs)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a row shows."""
        run = self._runs[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return run.name
        if role == RUN_ROLE:
            return run
        if role == SHOWN_ROLE:
            return run.folder == self._shown
        if role == Qt.ItemDataRole.AccessibleTextRole:
            shown = [self.tr("shown")] if run.folder == self._shown else []
            return ", ".join([run.name, self.status_text(run), *shown, self.facts(run), self.progress_text(run)])
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(run)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return what can be done with a row: a run that is under way or cannot be read keeps its name."""
        flags = super().flags(index)
        if index.isValid() and self._runs[index.row()].status not in ("running", "unreadable"):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Tell of a new name; the row shows it when it is on record."""
        name = str(value).strip()
        if role != Qt.ItemDataRole.EditRole or not name or name == self._runs[index.row()].name:
            return False
        self.renamed.emit(self._runs[index.row()].folder, name)
        return True

    def status_text(self, run: RunSummary) -> str:
        """Return a run's status in a word."""
        return {
            "finished": self.tr("finished"),
            "paused": self.tr("paused"),
            "interrupted": self.tr("interrupted"),
            "failed": self.tr("failed"),
            "running": self.tr("training"),
            "unreadable": self.tr("unreadable"),
        }[run.status]

    def facts(self, run: RunSummary) -> str:
        """Return when it began, with what, on how many sounds."""
        sounds = self.tr("1 sound") if run.sounds == 1 else self.tr("{0} sounds").format(run.sounds)
        known = [_short_date(run.created), sounds, run.family] if run.family else [run.folder.name]
        return " · ".join(part for part in known if part)

    def progress_text(self, run: RunSummary) -> str:
        """Return how far it has come, and its best loss."""
        if run.status == "unreadable":
            return run.problem
        done = self.tr("{0} of {1} epochs").format(run.progress.epochs, run.epochs_asked)
        best = run.progress.best_loss
        return done if best is None else self.tr("{0} · best {1:.4g}").format(done, best)

    def _tip(self, run: RunSummary) -> str:
        meaning = {
            "finished": self.tr("Finished. Ask for more epochs to go on."),
            "paused": self.tr("Paused, with a checkpoint: Resume goes on from there."),
            "interrupted": self.tr("The program was ended while it trained. Resume goes on from the last checkpoint."),
            "failed": self.tr("It ended with an error: {0}").format(run.problem),
            "running": self.tr("It is being trained now, here or by another Distill."),
            "unreadable": run.problem,
        }[run.status]
        best = self.tr(
            "The curve is the loss on held-out sounds; its lowest is the best. The model is from the best epoch that "
            "has a checkpoint, so its loss can be a little higher."
        )
        return f"<p><b>{run.name}</b></p><p>{meaning}</p><p>{best}</p><p>{run.folder.name}</p>"

    def _replace(self, row: int, run: RunSummary) -> None:
        if self._runs[row] != run:
            self._runs[row] = run
            self.dataChanged.emit(self.index(row), self.index(row))


def _short_date(created: str) -> str:
    """Return a date as a person says it, in the local time zone."""
    try:
        moment = datetime.fromisoformat(created).astimezone()
    except ValueError:
        return ""
    pattern = "d MMM HH:mm" if moment.year == datetime.now().astimezone().year else "d MMM yyyy"
    return QLocale().toString(QDateTime.fromSecsSinceEpoch(int(moment.timestamp())), pattern)
