"""Asks whether to quit while a training is running, and says why the window stays open."""

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QMessageBox, QWidget

from distill.gui.engine.run_state import RunState
from distill.gui.user_errors import error_text

translate = QCoreApplication.translate


class QuitQuestion(QMessageBox):
    """The question before the window closes; its buttons stop the training, or keep it and the window."""

    def __init__(self, window: QWidget, state: RunState) -> None:
        super().__init__(QMessageBox.Icon.NoIcon, translate("MainWindow", "Quit Distill?"), "", parent=window)
        self.setObjectName("quitDialog")
        self.setDefaultButton(self.addButton("", QMessageBox.ButtonRole.AcceptRole))
        self.setEscapeButton(self.addButton("", QMessageBox.ButtonRole.RejectRole))
        self.ask_about(state)

    def ask_about(self, state: RunState) -> None:
        """Ask what is true now: a training may end, or another one of the queue begin, while the question is open."""
        stop, keep = self.defaultButton(), self.escapeButton()
        if state is RunState.IDLE:
            self.setText(translate("MainWindow", "The training has ended."))
            stop.setText(translate("MainWindow", "&Quit"))
            keep.setText(translate("MainWindow", "&Go on"))
        else:
            self.setText(
                translate(
                    "MainWindow",
                    "Training is running. It will be stopped with a checkpoint, and you can resume it later.",
                )
            )
            stop.setText(translate("MainWindow", "&Stop and quit"))
            keep.setText(translate("MainWindow", "&Keep training"))

    def is_agreed(self) -> bool:
        """Whether the user wants to quit."""
        return self.buttonRole(self.clickedButton()) is QMessageBox.ButtonRole.AcceptRole


def unsaved_text(error: Exception) -> str:
    """Return why the window stays open at first: what the user has typed cannot be saved."""
    text = translate("MainWindow", "Some changes could not be saved: {0}. Close the window again to quit without them.")
    return text.format(error_text(error).rstrip("."))
