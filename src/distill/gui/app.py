"""How the window starts.

1. `run` is called by ``distill.__main__`` after the log is open.  By then Qt has been imported, and the modules of the
   window's frame: that is most of the time until the first frame, so numpy and the readers of sound come later.  If a
   window is open already, it is asked to show what was to be opened (`distill.gui.window.single_instance`), and this
   process ends.
2. The application is made, then the frame of the window, by the preferences.
3. The first frame is painted.  The rest follows in steps (`distill.gui.window.composition`): pyqtgraph, the other
   panels, and a background thread that looks for the folders of the last session.
4. When the window is complete, a thread of its own imports the engine (`distill.gui.engine.engine_loader`): torch takes
   seconds, and holds the interpreter lock for tenths of a second.  This is why nothing under `distill.gui` may import
   torch at module level, directly or indirectly.
5. The event loop runs.  Ctrl-C and the system's request to end close the window (`distill.gui.window.closing`).
6. After the window has closed, the import is waited for if it is still under way.  Work that hangs is not.
"""

import logging
import sys
from contextlib import closing
from pathlib import Path

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from distill import __version__
from distill.gui.background_tasks import end_if_stuck
from distill.gui.window.closing import QuitSignals
from distill.gui.window.crash_presenter import ReportWatcher
from distill.gui.window.gc_timer import GCTimer
from distill.gui.window.main_window import MainWindow
from distill.gui.window.open_requests import OpenRequests
from distill.gui.window.single_instance import InstanceLock, InstanceServer, pass_on
from distill.paths import resources_dir
from distill.process.interpreter import set_switch_interval

log = logging.getLogger(__name__)

#: Name of the desktop entry, by which a desktop finds the window's icon; the same as in packaging/release.py.
DESKTOP_ID = "org.distill_audio.Distill"


def run(path: Path | None = None, new_window: bool = False) -> int:
    """Open the window, with a folder of sounds or a model where one is given; return the exit code at its end.

    A window that is open already takes the path and comes to the front, unless ``new_window`` asks for another one.
    """
    set_switch_interval()
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    with closing(GCTimer(app)):
        return _run(app, path, new_window)


def _run(app: QApplication, path: Path | None, new_window: bool) -> int:
    app.setApplicationName("distill")
    app.setApplicationDisplayName("Distill")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName(DESKTOP_ID)
    app.setWindowIcon(QIcon(str(resources_dir() / "icons" / "distill.svg")))
    instance = InstanceLock()
    if instance.number > 1 and not new_window and pass_on(path):
        instance.close()
        return 0
    window = MainWindow(in_steps=True)
    window.show_instance(instance.number)
    opener = OpenRequests(app, window)
    server = InstanceServer(window)
    server.requested.connect(opener.open_in_front)
    if instance.number == 1:
        server.listen()
    if path is not None:
        opener.open(path)
    watcher = ReportWatcher(window)
    wakeup = QuitSignals(window, window.quit_now)
    window.painted.connect(lambda: log.info("Distill %s: main loop reached", __version__))  # packaging waits for it
    window.show()
    try:
        code = app.exec()
    finally:
        wakeup.close()
        watcher.close()
        server.close()
        instance.close()
        window.wait_for_engine()
    end_if_stuck(code)
    return code
