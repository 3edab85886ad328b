"""The menu of a preview: play, compare, star, use elsewhere, copy, save."""

from collections.abc import Collection, Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from distill.gui.previews.stars import are_all_starred
from distill.runs.preview_files import PreviewKind, PreviewSound


class PreviewMenu(QMenu):
    """The actions of the sound under the cursor and of the selected sounds."""

    def __init__(
        self,
        chosen: Sequence[PreviewSound],
        starred: Collection[Path],
        can_compare: bool,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("previewMenu")
        can_star = [sound for sound in chosen if sound.kind is not PreviewKind.ORIGINAL]
        loses_star = are_all_starred([sound.path for sound in can_star], starred)
        self.play = self._entry(self.tr("Play"), self.tr("Space"))
        self.compare = self._entry(self.tr("Compare with the original"), "B")
        self.compare.setEnabled(can_compare)
        self.star = self._entry(self.tr("Remove star") if loses_star else self.tr("Star"), "S")
        self.star.setEnabled(bool(can_star))
        self.addSeparator()
        self.use = self._entry(self.tr("Use on the Play page"))
        self.pad = self._entry(self.tr("Put on a pad"))
        self.addSeparator()
        self.reveal = self._entry(self.tr("Show in folder"))
        self.copy = self._entry(self.tr("Copy file path") if len(chosen) < 2 else self.tr("Copy file paths"), "Ctrl+C")
        self.save = self._entry(self.tr("Save a copy as…"))

    def _entry(self, text: str, keys: str = "") -> QAction:
        return self.addAction(f"{text}\t{keys}" if keys else text)
