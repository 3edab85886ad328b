"""Makes the pictures of the window: of the real one, while the real engine trains on the built-in demo sounds.

``.venv/bin/python packaging/screenshots.py FOLDER``
    writes all pictures there, light and dark: a first start; a training under way at 200 %; the same run at the next
    start, in the usual size and in the smallest screen that Distill is made for (1024x640), with its settings, its
    sounds and the list of runs; its model on the Play page at 200 %.
``.venv/bin/python packaging/screenshots.py FOLDER --readme``
    also puts those that README.md shows where it looks for them.

Each scene is a process of its own, because a scale is chosen before the application is made; all of them share one
home, which is made for this and thrown away: the second scene is the next start of the first.  Nothing is heard.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from distill.gui.window.main_window import MainWindow

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "resources" / "screenshots"

#: What README.md shows, by the name of its file and that of the picture it is made from.
README = {
    "light.png": "training-200-light.png",
    "dark.png": "training-200-dark.png",
    "play-light.png": "play-200-light.png",
    "play-dark.png": "play-200-dark.png",
}

#: Where on the map the sound lies that the Play page shows, and how many pads there are.
PLAYED, PADS = (0.45, 0.55), 16

#: Epochs that the run is made for, and at how many the pictures are taken.
EPOCHS, SHOWN_EPOCHS = 40, 10
USUAL, SMALL = (1280, 800), (1024, 640)

#: How long a scene waits for what it needs, in seconds.
PATIENCE = 1500.0

#: Each scene's scale; the order matters.
SCENES = {"first": "1", "training": "2", "again": "1", "play": "2"}


def main() -> int:
    """Make the pictures; return the exit code."""
    parser = argparse.ArgumentParser(description="Make the pictures of the window.")
    parser.add_argument("folder", type=Path, help="where they go")
    parser.add_argument("--readme", action="store_true", help="also replace those that README.md shows")
    parser.add_argument("--epochs", type=int, default=SHOWN_EPOCHS, help="epochs to train before the pictures")
    parser.add_argument("--preset", default="auto", help="aggressive: the quickest, for a slow computer")
    parser.add_argument("--scene", choices=SCENES, help="make this one only, in the home that DISTILL_HOME names")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.scene:
        return _Scene(options.folder.resolve(), options.epochs, options.preset).play(options.scene)
    home = Path(tempfile.mkdtemp(prefix="distill-screenshots-"))
    try:
        for scene, scale in SCENES.items():
            command = [sys.executable, __file__, str(options.folder), "--scene", scene]
            command += ["--epochs", str(options.epochs), "--preset", options.preset]
            subprocess.run(command, check=True, env=_environment(home, scale))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if options.readme:
        PICTURES.mkdir(parents=True, exist_ok=True)
        for name, source in README.items():
            shutil.copyfile(options.folder / source, PICTURES / name)
    return 0


def _environment(home: Path, scale: str) -> dict[str, str]:
    kept = {**os.environ, "DISTILL_HOME": str(home / "Music"), "QT_SCALE_FACTOR": scale}
    kept.setdefault("QT_QPA_PLATFORM", "offscreen")  # a screen of its own: nothing lies over the window
    return kept


class _Scene:
    """One start of the window, and the pictures of it."""

    def __init__(self, folder: Path, epochs: int, preset: str) -> None:
        from PySide6.QtWidgets import QApplication

        from distill.gui.window.main_window import MainWindow
        from distill.playback.player import Player
        from distill.process.interpreter import set_switch_interval

        set_switch_interval()
        self._app = QApplication.instance() or QApplication(["distill"])
        self._folder, self._epochs, self._preset = folder, epochs, preset
        self._window: MainWindow = MainWindow(player=Player(open_output=Silence))  # type: ignore[arg-type]
        self._window.resize(*USUAL)
        self._window.show()

    def play(self, scene: str) -> int:
        """Go through a scene and close the window."""
        scenes = {"first": self._first, "training": self._training, "again": self._again, "play": self._play}
        scenes[scene]()
        self._window.quit_now()
        self._until(lambda: not self._window.isVisible())
        self._window.wait_for_engine()
        return 0

    def _first(self) -> None:
        self._take("first-start")

    def _training(self) -> None:
        from distill.gui.engine.run_state import RunState

        window = self._window
        window.sounds.use_demo_sounds()
        self._until(lambda: window.controls.start.isEnabled() and not window.sounds.scanner.is_busy)
        window.controls.choose("vae", self._preset, EPOCHS)
        window.controls.start.click()
        bridge = window.runs.bridge
        self._until(lambda: len(bridge.history.epochs) >= self._epochs or bridge.state is RunState.IDLE)
        if bridge.state is RunState.IDLE:
            raise SystemExit(f"The training has ended: {window.notices.text()}")
        self._hear_newest()
        window.notices.forget_all()  # two dozen sounds, of which two are held out: it is told at once
        self._take("training-200")

    def _again(self) -> None:
        window = self._window
        self._until(lambda: window.previews.grid.sound_count > 0 and not window.sounds.scanner.is_busy)
        self._hear_newest()
        self._take("again")
        self._take("again-small", SMALL)
        window.tabs.setCurrentWidget(window.run_list)
        self._until(lambda: window.run_list.table.rowCount() > 0)
        self._take("runs-small", SMALL)
        window.controls.advanced.click()
        self._take("advanced")
        self._take("advanced-small", SMALL)

    def _play(self) -> None:
        from distill.gui.engine.run_state import RunState
        from distill.gui.window.top_bar import MODELS, PLAY

        window = self._window
        bridge = window.runs.bridge
        self._until(lambda: window.controls.finish.isEnabled() and window.controls.resume.isEnabled())
        window.controls.finish.click()  # only the model of a finished run has a map
        self._until(lambda: bridge.state is RunState.IDLE and not window.controls.finish.isEnabled())
        window.pages.open_page(MODELS)
        self._until(lambda: window.models_page.detail.entry is not None)
        window.pages.open_page(PLAY)
        play = window.parts.play
        self._until(lambda: play.page.map.shown is not None)
        play.fill_pads()
        self._until(lambda: len(play.page.pads.sounds()) == PADS)
        play.play_position(PLAYED)
        self._until(lambda: play.current is not None)
        self._pause(3)  # it is compared with the training sounds
        window.notices.forget_all()
        self._take("play-200")

    def _hear_newest(self) -> None:
        """Play the newest copy of a sound, as a click does."""
        view = self._window.previews.view
        view.show_newest()
        cell = view.model().index(view.model().rowCount() - 1, view.model().columnCount() - 1)
        view.setCurrentIndex(cell)
        view.activated.emit(cell)
        self._pause(0.6)

    def _take(self, name: str, size: tuple[int, int] = USUAL) -> None:
        """Take a picture of the window in this size, light and dark."""
        from distill.gui.widgets import theme

        self._window.resize(*size)
        for appearance in (theme.Appearance.LIGHT, theme.Appearance.DARK):
            theme.install(self._app, appearance)  # type: ignore[arg-type]
            self._pause(1.5)  # thumbnails are drawn anew
            path = self._folder / f"{name}-{appearance.value}.png"
            if not self._window.grab().save(str(path)):
                raise SystemExit(f"{path} cannot be written")
            print(path, flush=True)

    def _pause(self, seconds: float) -> None:
        import time

        end = time.monotonic() + seconds
        self._until(lambda: time.monotonic() >= end)

    def _until(self, condition: Callable[[], bool]) -> None:
        import time

        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise SystemExit("The scene takes too long.")
            self._app.processEvents()
            time.sleep(0.005)


class Silence:
    """A device that takes a third of a second of sound and then no more, so that the playhead stands still."""

    latency_seconds = 0.0
    underflows = 0
    is_stand_in = is_stalled = False

    def __init__(
        self,
        fill: Callable[[NDArray[np.float32]], bool],
        _on_drained: object,
        _device: object = None,
        live_seconds: float | None = None,
    ) -> None:
        from distill.playback.output_device import OutputFormat

        self.format = OutputFormat(48_000, 2)
        self._fill = fill
        self._is_live = live_seconds is not None

    def start(self) -> None:
        """Take a little of a sound."""
        if not self._is_live:  # notes sound when they are played
            self._fill(np.zeros((16_000, 2), dtype=np.float32))

    def stop(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


if __name__ == "__main__":
    sys.exit(main())
