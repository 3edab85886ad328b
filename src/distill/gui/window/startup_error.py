"""What the user sees when there is no window to see anything in.

Imports nothing of ours: a broken installation is what it tells about.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication, QMessageBox

if TYPE_CHECKING:
    from distill.diagnostics import Report


def show_failure(report: "Report", log_file: Path) -> None:
    """Say that Distill could not start, why, and where the details are; returns when that has been read."""
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
