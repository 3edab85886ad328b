"""The sounds that were made on the Play page, the newest first."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QListWidgetItem, QWidget

from distill.gui.play.sound_list import FILE_ROLE, WORD_ROLE, SoundList
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets.plain_text import plain_tip

#: Most sounds that are listed.
_MOST = 500


class HistoryList(SoundList):
    """Lists sounds with a word about how new each is."""

    sound_chosen = Signal(object)  # Path

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(thumbnails, parent)
        self.setObjectName("madeList")
        self.setAccessibleName(self.tr("Sounds generated on this page"))
        self.setToolTip(self.tr("Click a sound to hear it. Drag it onto a pad or into another program."))
        self.hearing.asked.connect(lambda index: self.sound_chosen.emit(index.data(FILE_ROLE)))

    def add(self, sound: Path, word: str = "") -> None:
        """List a sound as the newest, unless it is listed, with a word about how new it is."""
        if self._item_of(sound) is None:
            item = QListWidgetItem(sound.stem)
            item.setData(FILE_ROLE, sound)
            item.setToolTip(plain_tip(sound.stem))
            self.insertItem(0, item)
            while self.count() > _MOST:
                self.takeItem(self.count() - 1)
        self._thumbnails.prefetch_waveforms([sound])  # also where the name was that of another file before
        self.show_word(sound, word)

    def lists(self, sound: Path) -> bool:
        """Return whether a sound is listed."""
        return self._item_of(sound) is not None

    def remove(self, sound: Path) -> None:
        """List a sound no more."""
        if (item := self._item_of(sound)) is not None:
            self.takeItem(self.row(item))

    def show_word(self, sound: Path, word: str) -> None:
        """Show how new a listed sound is; an empty word leaves what is shown."""
        if (item := self._item_of(sound)) is not None and word:
            item.setData(WORD_ROLE, word)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, self.tr("{0}, {1}").format(sound.stem, word))

    def follow_file(self, before: Path, path: Path) -> None:
        """List a sound under the name that its file has now."""
        for item in map(self.item, range(self.count())):
            if item.data(FILE_ROLE) == before:
                item.setData(FILE_ROLE, path)
                item.setText(path.stem)
                item.setToolTip(plain_tip(path.stem))
                self.show_word(path, item.data(WORD_ROLE) or "")  # which is spoken with the name

    def _item_of(self, sound: Path) -> QListWidgetItem | None:
        return next((item for item in map(self.item, range(self.count())) if item.data(FILE_ROLE) == sound), None)

    def sounds(self) -> list[Path]:
        """Return the sounds, the newest first."""
        return [self.item(row).data(FILE_ROLE) for row in range(self.count())]
