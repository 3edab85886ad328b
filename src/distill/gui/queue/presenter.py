"""Works off the queue in the window: begins the next run when one ends, and carries out what the list requests."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject

from distill.config.training import AnyConfig
from distill.errors import DistillError
from distill.events import UNSAVED, TrainingCompleteEvent
from distill.gui.background_tasks import TaskQueue
from distill.gui.engine.run_state import RunState
from distill.gui.queue.panel import QueuePanel
from distill.gui.runs.presenter import RunsPresenter
from distill.gui.sounds.presenter import SoundsPresenter
from distill.gui.training.controls import TrainingControls
from distill.gui.training.presenter import TrainingPresenter
from distill.gui.widgets.notices import NoticeBar
from distill.gui.widgets.plain_text import readable
from distill.gui.window_part import WindowPart
from distill.names import free_name
from distill.runs.loaded_run import LoadedRun
from distill.runs.queue import (
    FAILED,
    FINISHED,
    STOPPED,
    WAITING,
    QueueEntry,
    QueueRunner,
    QueueState,
    RunQueue,
    problem_of,
)

#: Topics of the notices about the queue, and about an entry that has failed.
TOPIC, FAILED_TOPIC = "queue", "queue entry"


@dataclass(frozen=True)
class _NextEntry:
    """The entry that begins now, its run or its sounds and settings, and those before it that could not begin."""

    entry: QueueEntry | None
    run: LoadedRun | None = None  # the one that is resumed
    files: tuple[Path, ...] = ()
    config: AnyConfig | None = None  # of a run that is new
    failed: tuple[QueueEntry, ...] = ()


class QueuePresenter(QObject, WindowPart):
    """Keeps the list in step with the queue on disk, and trains its entries one after the other."""

    def __init__(
        self,
        panel: QueuePanel,
        controls: TrainingControls,
        runs: TrainingPresenter,
        past_runs: RunsPresenter,
        sounds: SoundsPresenter,
        notices: NoticeBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._panel, self._controls, self._runs = panel, controls, runs
        self._sounds, self._notices = sounds, notices
        self._queue = RunQueue()
        self._state = QueueState()
        self._runner: QueueRunner | None = None
        self._trained_entry: QueueEntry | None = None  # the one that is being trained here
        self._tasks = TaskQueue("queue", self, keeps=True)
        self._tasks.idle.connect(lambda: self._show_beginning(False))  # also where taking the next entry has failed
        self._is_beginning = self._is_closed = False
        controls.queue_requested.connect(self.add)
        panel.run_requested.connect(self.run)
        panel.pause_requested.connect(self._on_pause_requested)
        panel.move_requested.connect(lambda entry_id, row: self._change_queue(lambda: self._queue.move(entry_id, row)))
        panel.remove_requested.connect(lambda ids: self._change_queue(lambda: self._queue.remove(ids)))
        panel.show_requested.connect(past_runs.show)
        runs.bridge.state_changed.connect(self._on_state_changed)
        runs.bridge.run_ended.connect(self._on_run_ended)

    @property
    def names(self) -> set[str]:
        """Names that the runs of the queue have or will have."""
        return {entry.name for entry in self._state.entries}

    def refresh(self) -> None:
        """Show what the queue holds: the terminal may have changed it."""
        self._change_queue(lambda: None)

    def refresh_if_seen(self) -> None:
        """Read the queue again if the list of runs is visible."""
        around = self._panel.parentWidget()
        if around is not None and around.isVisible():
            self.refresh()

    def add(self) -> None:
        """Add a run on the listed sounds, with their fixes and the settings of the controls, to the queue."""
        controls, choice = self._controls, self._runs.origin.choice
        entry = QueueEntry(
            free_name(controls.run_name, self._runs.names_in_use()), self._sounds.usable(),
            controls.family_key, controls.preset_key, controls.epochs.value(), self._runs.settings.changes,
            self._sounds.fixes(), None if choice is None else choice.path,
        )  # fmt: skip
        self._notices.forget(TOPIC)
        self._state = QueueState((*self._state.entries, entry), self._state.is_paused)  # its name is taken from now on

        def check_and_add() -> None:
            entry.config(len(entry.sounds))
            self._queue.add([entry])

        self._change_queue(check_and_add)
        text = self.tr("“{0}” is in the queue, under Runs.").format(readable(entry.name))
        self._notices.notify(TOPIC, text, "info")

    def run(self) -> None:
        """Begin the first entry that is left, unless one begins already."""
        if self._can_begin():
            self._notices.forget(TOPIC)
            self._show_beginning(True)
            self._change_queue(self._end_pause, self._begin_next)

    def close(self) -> None:
        """Carry out what is pending, and let others work the queue off.  Never raises."""
        self._is_closed = True
        self._tasks.close()  # an entry whose change fails is found as interrupted, and resumed
        if self._trained_entry is not None and self._runner is not None:
            with suppress(DistillError):
                self._runner.end(self._trained_entry.id, STOPPED)
        self._release_queue()

    # The list.

    def _on_pause_requested(self, is_paused: bool) -> None:
        self._change_queue(lambda: self._queue.set_paused(is_paused))

    def _change_queue(self, work: Callable[[], None], on_done: Callable[[], None] = lambda: None) -> None:
        """Change the queue in the background, after the earlier changes, and show it as it is then."""

        def change_and_read() -> tuple[QueueState, bool]:
            work()
            return self._queue.read(), self._queue.is_worked_off()

        def show(state_and_work: tuple[QueueState, bool]) -> None:
            self._show(state_and_work)
            on_done()

        self._submit(change_and_read, show)

    def _show(self, state_and_work: tuple[QueueState, bool]) -> None:
        self._state, is_worked_off = state_and_work
        self._panel.show_state(self._state, is_worked_off)

    def _submit(self, work: Callable[[], Any], on_done: Callable[[Any], None]) -> None:
        self._tasks.submit(lambda _progress, _cancel: work(), on_done, self._on_failed)

    def _on_failed(self, error: Exception) -> None:
        self._notices.notify_error(TOPIC, error)
        if not self._runs.bridge.is_running:
            self._release_queue()
        self._submit(lambda: (self._queue.read(), self._queue.is_worked_off()), self._show)

    # Training.

    def _advance(self) -> None:
        """Begin the next entry, unless a run is under way or one begins already."""
        if self._can_begin():
            self._show_beginning(True)
            self._begin_next()

    def _can_begin(self) -> bool:
        return not (self._is_beginning or self._runs.bridge.is_running)

    def _show_beginning(self, is_beginning: bool) -> None:
        """Note that an entry is taken: until its run has a folder, the queue would give the same one again."""
        self._is_beginning = is_beginning
        self._panel.show_beginning(is_beginning)

    def _begin_next(self) -> None:
        self._submit(self._take_next, self._begin)

    def _hold_queue(self) -> QueueRunner:
        if self._runner is None:
            self._runner = self._queue.hold()
        return self._runner

    def _end_pause(self) -> None:
        """Let runs begin again, unless another process works the queue off: that one would go on."""
        self._hold_queue()
        self._queue.set_paused(False)

    def _take_next(self) -> _NextEntry:
        """Return the next entry that can begin; those that cannot are noted as failed."""
        runner = self._hold_queue()
        failed: list[QueueEntry] = []
        while (entry := runner.next()) is not None:
            try:
                if not entry.is_begun:
                    files, usable = entry.find_sounds()
                    return _NextEntry(entry, None, tuple(files), entry.config(max(usable, 1)), tuple(failed))
                run = LoadedRun.read(entry.run_dir)
                if run.host is None:  # otherwise somebody has just resumed it by hand, and it is skipped
                    return _NextEntry(entry, run, failed=tuple(failed))
            except Exception as exc:  # boundary: whatever ends one entry, the others are run
                runner.end(entry.id, FAILED, problem_of(exc))
                failed.append(entry)
        return _NextEntry(None, failed=tuple(failed))

    def _begin(self, next_entry: _NextEntry) -> None:
        entry = next_entry.entry
        if entry is None or self._is_closed:
            self._release_queue()
        elif self._runs.bridge.is_running:  # the user was quicker; it comes after that run
            self._end_entry(entry, WAITING)
            self._release_queue_later()
        else:
            self._trained_entry = entry
            if next_entry.run is not None:
                self._runs.resume_queued(next_entry.run)
            elif next_entry.config is not None:
                self._runs.start_queued(entry, next_entry.config, next_entry.files)
        self._show_beginning(False)
        for failed_entry in next_entry.failed:
            self._report_failed(failed_entry)
        self.refresh()

    def _on_state_changed(self, state: RunState) -> None:
        self._panel.show_training(state is not RunState.IDLE)
        if state in (RunState.TRAINING, RunState.IDLE):
            self.refresh()

    def _on_run_ended(self, ending: TrainingCompleteEvent) -> None:
        if self._is_closed:
            return
        entry, self._trained_entry = self._trained_entry, None
        is_unsaved = ending.outcome == UNSAVED  # the next model could not be written either
        # Who stops a run wants no other one, also where it was at its end or could not write its checkpoint.
        was_stopped = ending.outcome == "stopped" or self._runs.bridge.was_stopped
        goes_on = not (was_stopped or is_unsaved or self._state.is_paused)
        if is_unsaved and (entry or self._state.waiting):
            self._hold_back(entry, ending.error or "")
        elif entry is not None:
            status = {"finished": FINISHED, "stopped": STOPPED}.get(ending.outcome, FAILED)
            self._end_entry(entry, status, (ending.error or "") if status == FAILED else "")
            if status == FAILED:
                self._report_failed(entry, goes_on)
        if goes_on and (entry or self._state.waiting):
            self._advance()
        else:
            self._release_queue_later()

    def _hold_back(self, entry: QueueEntry | None, problem: str) -> None:
        """Pause the queue after a run whose model could not be written; an entry is resumed when it goes on."""
        if entry is not None:
            self._end_entry(entry, STOPPED, problem, pauses=True)
        else:
            self._change_queue(lambda: self._queue.set_paused(True))
        text = self.tr("The queue is paused: a model could not be saved. Make room on the disk, then run the queue.")
        self._notices.notify(FAILED_TOPIC, text, "warning")

    def _end_entry(self, entry: QueueEntry, status: str, problem: str = "", pauses: bool = False) -> None:
        runner = self._runner
        if runner is not None:
            self._change_queue(lambda: runner.end(entry.id, status, problem, pauses))

    def _report_failed(self, entry: QueueEntry, goes_on: bool = True) -> None:
        text = (
            self.tr("“{0}” has failed; the queue goes on. The reason is in the list under Runs.")
            if goes_on
            else self.tr("“{0}” has failed. The reason is in the list under Runs.")
        )
        self._notices.notify(FAILED_TOPIC, text.format(readable(entry.name)), "warning")

    def _release_queue_later(self) -> None:
        """Let others work the queue off once the pending changes are made."""
        if self._runner is not None:
            self._submit(self._release_queue, lambda _nothing: self.refresh())

    def _release_queue(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()
