"""Collects Python's cyclic garbage in the window's thread only.

Python collects in whichever thread allocates, during training mostly the training thread.  If a widget is part of the
garbage (a closed dialog, the parts of a plot), its destructor runs there while the window paints: a rare crash in Qt.
So the automatic collection is switched off while there is a window, and a timer of the window collects by the same
thresholds.  Objects outside of cycles are freed at once in every thread, as always.  What was imported meanwhile is not
collected at all: see `distill.process.interpreter.freeze_imports`.
"""

import gc

from PySide6.QtCore import QObject, QTimer

from distill.process.interpreter import freeze_imports

#: Milliseconds between two checks whether a collection is due.
PERIOD = 500


def collect_due() -> None:
    """Collect the oldest generation that is due by Python's own thresholds, without what was just imported."""
    freeze_imports()
    for generation in (2, 1, 0):
        if gc.get_count()[generation] > gc.get_threshold()[generation] > 0:
            gc.collect(generation)
            return


class GCTimer(QObject):
    """Collects garbage in the thread that created it, from now until `close`.

    Parameters
    ----------
    parent
        Of the timer; usually the application.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._was_enabled = gc.isenabled()
        gc.disable()
        freeze_imports()
        self._timer = QTimer(self, interval=PERIOD)
        self._timer.timeout.connect(collect_due)
        self._timer.start()

    def close(self) -> None:
        """Leave the collection to Python again."""
        self._timer.stop()
        if self._was_enabled:
            gc.enable()
