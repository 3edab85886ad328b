"""A start that fails is told on the screen: who has double-clicked sees nothing else."""

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMessageBox

from distill import __main__ as program
from distill import diagnostics
from distill.process import environment, torch_libraries


@pytest.mark.parametrize("fault", ["of a module", "of the window"])
def test_it_is_told_with_the_place_of_the_log(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str
) -> None:
    monkeypatch.setattr(environment, "restore_environment", lambda: None)
    monkeypatch.setattr(torch_libraries, "load_torch_before_qt", lambda: None)
    if fault == "of a module":
        monkeypatch.setitem(sys.modules, "distill.gui.app", None)
    else:
        monkeypatch.setattr("distill.gui.app.MainWindow", lambda **_: [][1])
    told: list[str] = []

    def look() -> None:
        box = next(w for w in qapp.topLevelWidgets() if isinstance(w, QMessageBox) and w.isVisible())
        told.extend((box.text(), box.informativeText(), box.detailedText()))
        box.accept()

    QTimer.singleShot(300, look)
    try:
        assert program.main([]) == 1
    finally:
        diagnostics.stop()
    assert told[0] == "Distill could not start."
    assert str(diagnostics.log_file()) in told[1]
    assert ("ModuleNotFoundError" if fault == "of a module" else "IndexError") in told[1]
    assert "Traceback" in told[2]
    assert told[2] in diagnostics.log_file().read_text()
