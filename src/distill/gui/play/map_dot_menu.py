"""The menu of a dot of the map: what can be done with the user's own sound."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget


class DotMenu(QMenu):
    """Offers what can be done with the sound of a dot, and says why something cannot.

    Parameters
    ----------
    has_file
        Whether the file of the sound was found on this computer.
    has_empty_pad
        Whether there is a pad to put it on.
    """

    def __init__(self, has_file: bool, has_empty_pad: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("dotMenu")
        self.setToolTipsVisible(True)
        self.play_dot = self.addAction(self.tr("Play"))
        self.addSeparator()
        self.put_on_pad = self._add_entry(self.tr("Put on a pad"), has_file)
        if has_file and not has_empty_pad:
            self.put_on_pad.setEnabled(False)
            self.put_on_pad.setToolTip(self.tr("No pad is empty. Delete empties a pad."))
        self.addSeparator()
        self.save_copy = self._add_entry(self.tr("Save a copy as…"), has_file)
        self.copy_file = self._add_entry(self.tr("Copy"), has_file)
        self.show_in_folder = self._add_entry(self.tr("Show in folder"), has_file)
        if not has_file:
            self.play_dot.setToolTip(self.tr("Plays the model's copy."))

    def _add_entry(self, text: str, has_file: bool) -> QAction:
        action = self.addAction(text)
        action.setEnabled(has_file)
        if not has_file:
            action.setToolTip(self.tr("The file of this sound was not found on this computer."))
        return action
