"""How the window closes: Ctrl-C, the question while a training runs, what keeps it open, the end of all that runs.

Ctrl-C and the system's request to end come in through a socket, because Python runs signal handlers only between two
of its own instructions, and Qt's loop has none.  The window closes in the event loop and never in the handler, which
can interrupt a step of building.
"""

import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject, QSocketNotifier, QTimer
from PySide6.QtWidgets import QMainWindow, QMessageBox, QWidget

from distill import diagnostics
from distill.gui.background_tasks import end_tasks
from distill.gui.engine.run_state import RunState
from distill.gui.user_errors import error_text, is_user_error
from distill.gui.window.layout import Frame

if TYPE_CHECKING:
    from distill.gui.window.composition import Parts

translate = QCoreApplication.translate

#: Topic of the notice about work that cannot be saved at closing.
CLOSE_TOPIC = "closing"


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


class WindowClosing(QObject):
    """Decides whether the window closes; before it does, what the user has typed is saved, and all that runs ends.

    Parameters
    ----------
    window
        Is closed; the Qt parent.
    frame
        Holds the notices and the thumbnails.
    save_settings
        Saves what is restored at the next start.

    Attributes
    ----------
    asks_first
        Whether the user is asked and told before the window closes.
    """

    def __init__(self, window: QMainWindow, frame: Frame, save_settings: Callable[[], None]) -> None:
        super().__init__(window)
        self._window, self._frame, self._save_settings = window, frame, save_settings
        self._parts: Parts | None = None
        self.asks_first = True
        self._closes_after_training = False
        self._is_session_ending = False
        self._has_warned_of_unsaved = False  # closing again closes all the same
        self._question: QuitQuestion | None = None

    def take_parts(self, parts: "Parts") -> None:
        """End these parts of the window when it closes."""
        self._parts = parts
        parts.runs.bridge.state_changed.connect(self._on_run_state_changed)

    def closes_now(self) -> bool:
        """Return whether the window closes; a running training is first stopped with a checkpoint, after asking."""
        if self._parts is None:  # building the window has failed, which has been reported
            return True
        if self._parts.runs.bridge.is_running:
            if self._closes_after_training:  # closed again while the last step is still being computed
                return False
            if self.asks_first:
                self._ask_first()
            else:
                self._stop_and_close(self._parts)
            return False
        if not self._is_all_saved(self._parts):
            self._closes_after_training = False
            return False
        self._shut_down(self._parts)
        return True

    def _is_all_saved(self, parts: "Parts") -> bool:
        """Save what the user has typed; return whether the window may close.

        What cannot be saved keeps the window open once, with the reason, unless nobody can be asked.
        """
        errors = run_all([part.flush for part in parts.all])
        unsaved = [error for error in errors if is_user_error(error)]
        if not unsaved or self._has_warned_of_unsaved or not self.asks_first:
            return True
        self._has_warned_of_unsaved = True
        self._frame.notices.notify(CLOSE_TOPIC, unsaved_text(unsaved[0]), "error")
        return False

    def _shut_down(self, parts: "Parts") -> None:
        """End all that runs; each step is taken, whatever happens in another."""
        steps: list[Callable[[], object]] = [self._save_settings, self._frame.notices.forget_all]
        steps += [part.close for part in parts.all]
        steps += [self._frame.thumbnails.close, lambda: end_tasks(self._window)]
        run_all(steps)

    def _ask_first(self) -> None:
        if self._question is None and self._parts is not None:
            self._question = QuitQuestion(self._window, self._parts.runs.bridge.state)
            self._question.finished.connect(self._on_answered)
            self._question.open()  # not exec: the training's events are still shown

    def _on_answered(self, _result: int) -> None:
        question, self._question = self._question, None
        if question is not None:
            is_agreed = question.is_agreed()
            question.deleteLater()
            if is_agreed and self._parts is not None:
                self._stop_and_close(self._parts)

    def _stop_and_close(self, parts: "Parts") -> None:
        self._closes_after_training = True
        if parts.runs.bridge.is_running:
            parts.runs.bridge.stop()
        else:
            self._window.close()

    def _on_run_state_changed(self, state: RunState) -> None:
        if self._question is not None:
            self._question.ask_about(state)
        if state is not RunState.IDLE or not self._closes_after_training:
            return
        if self._parts is not None and self._parts.runs.bridge.unsaved_model is not None and self.asks_first:
            self._closes_after_training = False  # it is offered next
        else:
            self._window.close()

    def end_session(self) -> None:
        """Save everything before the system ends the session; there is no time for questions."""
        self._is_session_ending = True
        if self._parts is not None:
            parts = self._parts
            run_all([parts.runs.bridge.stop_and_wait, *(part.flush for part in parts.all), self._save_settings])

    def forget_session_end(self) -> bool:
        """Ask again before closing, as the user works on; return whether an end of the session was announced."""
        was_ending = self._is_session_ending
        if was_ending:
            self._is_session_ending, self.asks_first = False, True
        return was_ending


def unsaved_text(error: Exception) -> str:
    """Return why the window stays open at first: what the user has typed cannot be saved."""
    text = translate("MainWindow", "Some changes could not be saved: {0}. Close the window again to quit without them.")
    return text.format(error_text(error).rstrip("."))


def run_all(steps: Sequence[Callable[[], object]], doing: str = "closing the window") -> list[Exception]:
    """Call every function, also after one has failed; report the errors and return them."""
    errors = []
    for step in steps:
        try:
            step()
        except Exception as exc:  # boundary: the other steps must be taken
            diagnostics.report(exc, doing, is_expected=is_user_error(exc))
            errors.append(exc)
    return errors


class QuitSignals:
    """Lets Ctrl-C and the system's request to end close the window, with a checkpoint of a training."""

    def __init__(self, window: QMainWindow, quit_now: Callable[[], object]) -> None:
        self._window, self._quit_now = window, quit_now
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        self._notifier = QSocketNotifier(self._reader.fileno(), QSocketNotifier.Type.Read)
        self._notifier.activated.connect(self._on_readable)

    def close(self) -> None:
        """Give the signals back."""
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(self._before)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._reader.close()
        self._writer.close()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Replaces the default, which ends the process.  Python has written to the socket already."""

    def _on_readable(self) -> None:
        with suppress(OSError):
            self._reader.recv(64)
        QTimer.singleShot(0, self._window, self._quit_now)
