"""Tells one movement of sliders and point from the next, so that each leaves one sound in the history: its last."""

from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from distill.gui.play.sound_sliders import SoundSliders

#: Milliseconds without a change after which a movement by wheel, keys or a controller has ended.
PAUSE = 1000


class Gesture:
    """One movement, and the sound that it has left in the history so far: the next one takes its place."""

    sound: Path | None = None


class Gestures(QObject):
    """Holds the movement that is under way.

    With the mouse it lasts from the press to the release of a slider, otherwise until nothing has changed for a while.
    """

    def __init__(self, sliders: SoundSliders, parent: QObject) -> None:
        super().__init__(parent)
        self._sliders = sliders
        self.current: Gesture | None = None
        self._pause = QTimer(self, singleShot=True, interval=PAUSE)
        self._pause.timeout.connect(self.end)
        sliders.grabbed.connect(self._on_grabbed)
        sliders.changed.connect(self.go_on)
        sliders.let_go.connect(self.end)

    def go_on(self) -> None:
        """Take note of a change: it belongs to the movement that is under way, or begins one."""
        self.current = self.current or Gesture()
        if not self._sliders.is_held:
            self._pause.start()

    def end(self) -> None:
        """Let the next change begin another movement."""
        self._pause.stop()
        self.current = None

    def _on_grabbed(self) -> None:
        self._pause.stop()
        self.current = Gesture()
