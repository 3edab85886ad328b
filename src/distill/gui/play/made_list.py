"""The sounds that were made on the Play page, the newest first."""

from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QWidget

from distill.gui.widgets.dragging import files_as_mime

#: Most sounds that are listed.
_MOST = 500


class MadeList(QListWidget):
    """Lists sounds; they can be dragged onto pads and into other programs."""

    sound_chosen = Signal(object)  # Path

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("madeList")
        self.setAccessibleName(self.tr("Sounds made on this page"))
        self.setToolTip(self.tr("Click a sound to hear it. Drag it onto a pad or into another program."))
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.itemClicked.connect(self._on_chosen)
        self.itemActivated.connect(self._on_chosen)
        self._last: Path | None = None

    def add(self, sound: Path, word: str = "") -> None:
        """List a sound as the newest, with a word about how new it is; one that is listed gets the word."""
        text = f"{sound.stem}  ·  {word}" if word else sound.stem
        for row in range(self.count()):
            item = self.item(row)
            if item.data(Qt.ItemDataRole.UserRole) == sound:
                if word:
                    item.setText(text)
                return
        item = QListWidgetItem(text)
        item.setData(Qt.ItemDataRole.UserRole, sound)
        self.insertItem(0, item)
        while self.count() > _MOST:
            self.takeItem(self.count() - 1)

    def sounds(self) -> list[Path]:
        """Return the sounds, the newest first."""
        return [self.item(row).data(Qt.ItemDataRole.UserRole) for row in range(self.count())]

    def mimeData(self, items: "list[QListWidgetItem]") -> QMimeData:  # type: ignore[override]
        """Return the files of items."""
        return files_as_mime(item.data(Qt.ItemDataRole.UserRole) for item in items)

    def _on_chosen(self, item: QListWidgetItem) -> None:
        self.sound_chosen.emit(item.data(Qt.ItemDataRole.UserRole))
