"""Where Python's cyclic garbage is collected: in the window's thread, and nowhere else.

Python collects in whichever thread happens to allocate, which while a model learns is mostly the training thread.  If
a widget is part of the garbage (a closed dialog, the parts of a plot), its destructor then runs there, beside the
window that paints: a crash in Qt, rarely and at any time.  So the automatic collection is switched off while there is a
window, and a timer of the window does the same work by the same thresholds.  What is not part of a cycle is freed at
once as ever, in every thread.
"""

import gc

from PySide6.QtCore import QObject, QTimer

#: How often it is asked whether a collection is due, in milliseconds.
PERIOD = 500


def collect_due() -> None:
    """Collect the oldest generation that Python's own thresholds say is due."""
    for generation in (2, 1, 0):
        if gc.get_count()[generation] > gc.get_threshold()[generation] > 0:
            gc.collect(generation)
            return


class GCTimer(QObject):
    """Collects garbage in the thread that made it, from now until `close`.

    Parameters
    ----------
    parent
        Of the timer; usually the application.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = QTimer(self, interval=PERIOD)
        self._timer.timeout.connect(collect_due)
        self._timer.start()

    def close(self) -> None:
        """Leave the collection to Python again."""
        self._timer.stop()
        gc.enable()
