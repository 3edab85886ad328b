"""Working a window on a real X screen as a hand does."""

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from tests.support.screen import Screen

#: Between two looks at where a widget is, and after an event, in milliseconds.
_MOMENT = 50


def click(screen: Screen, qtbot: QtBot, widget: QWidget, position: QPoint | None = None) -> None:
    """Click with the X server's mouse on a widget, in its middle or at a place in it.

    It must be there to be clicked on, and at rest: what is new beside it may still move it a little, and a hand waits
    for that, too.
    """
    assert widget.isVisible(), widget.objectName()
    positions: list[QPoint] = []

    def is_at_rest() -> bool:
        positions.append(widget.mapToGlobal(position or widget.rect().center()))
        return positions[-1:] == positions[-2:-1]

    while not is_at_rest():
        qtbot.wait(_MOMENT)
    screen.xdotool("mousemove", str(positions[-1].x()), str(positions[-1].y()), "click", "1")
    qtbot.wait(_MOMENT)
