"""The dialog for a failed start.

Imports no other module of Distill: the installation may be broken.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication, QMessageBox

if TYPE_CHECKING:
    from distill.diagnostics import Report


def show_failure(report: "Report", log_file: Path) -> None:
    """Show that Distill could not start, why, and where the details are; returns when the dialog is closed."""
    app = QApplication.instance() or QApplication(["distill"])
    translate = app.translate
    box = QMessageBox()
    box.setObjectName("startFailure")
    box.setWindowTitle("Distill")
    box.setIcon(QMessageBox.Icon.Critical)
    box.setText(translate("StartFailure", "Distill could not start."))
    box.setInformativeText(
        translate(
            "StartFailure",
            "Installing it again usually helps; your sounds, runs and models stay as they are.\n\n{0}\n\n"
            "The details are in {1}",
        ).format(report.summary, log_file)
    )
    box.setDetailedText(report.details)
    box.exec()
