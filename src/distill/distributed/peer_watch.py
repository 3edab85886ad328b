"""Watches the other processes of a training, and tells them that this one is there.

A process that is killed closes its connections, and whoever waits for it in a step notices at once.  A computer that
loses power or its network closes nothing: so each process counts in the launcher's store, and one whose count stands
still is taken for dead.  If it is on the same computer it is then killed: it would hold the run's folder, and the
launcher would wait for it.  A process that hangs in a step although another is known to be dead is ended from here.
"""

import json
import logging
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

#: Seconds between two signs of life; for how long there may be none; and how long a process may take to end itself.
BEAT_SECONDS, SILENT_SECONDS, GRACE_SECONDS = 1.0, 30.0, 10.0
#: Seconds for which it is found out which process has gone, after a connection was closed.
_SEARCH_SECONDS = 3.0
#: Most seconds that count between two looks.  Longer ones were no watch: this process was itself suspended, perhaps
#: with all the others, which may be looked at before they have gone on.
MOST_SECONDS_OF_A_LOOK = 5.0


class PeerWatch:
    """A thread that counts in the store, and looks at the counts of the others.

    Parameters
    ----------
    store
        A connection of its own to the launcher's store.
    rank, size
        This process, and how many there are.
    on_stop
        Called when the user has stopped another process.
    is_stopped
        Whether the user has stopped this one.
    """

    def __init__(
        self, store: Any, rank: int, size: int, on_stop: Callable[[], None], is_stopped: Callable[[], bool]
    ) -> None:
        self._store, self._rank, self._size = store, rank, size
        self._on_stop, self._is_stopped = on_stop, is_stopped
        self._lock = threading.Lock()
        self._count = 0
        self._own_failure = ""
        self._is_handled = False
        self._seen: dict[int, tuple[int, float]] = {}
        self._homes: dict[int, dict[str, Any]] = {}
        self._watched = 0.0
        self._gone_rank: int | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="distill-peers", daemon=True)
        #: Why another process is gone; empty while all are there.
        self.failure = ""
        #: Called with the reason before a process that hangs is ended, in the process that speaks for all.
        self.on_stuck: Callable[[str], None] = lambda reason: None
        store.set(f"home {rank}", json.dumps(_home()))
        self._beat()

    def start(self) -> None:
        """Begin to watch; all processes are there."""
        homes = self._store.multi_get([f"home {rank}" for rank in range(self._size)])
        self._homes = {rank: json.loads(text) for rank, text in enumerate(homes)}
        self._thread.start()

    def stop(self) -> None:
        """End the thread.  The others no longer expect signs of life."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._kill_gone()
        try:
            self._beat()
        except RuntimeError:
            log.info("The store of the launcher is gone.")

    def report_failure(self, reason: str) -> None:
        """Tell the others that this process cannot go on; it ends by itself, whatever it had waited for."""
        self._own_failure, self._is_handled = reason, True
        try:
            self._beat()
        except RuntimeError:
            log.info("The store of the launcher is gone.")

    @property
    def speaks_for_all(self) -> bool:
        """Whether this process says why the training has ended: the first one, or the next if that one is gone."""
        return self._rank == (1 if self._gone_rank == 0 else 0)

    def is_dead(self, rank: int) -> bool:
        """Whether a process is known to be gone, by its number on this computer."""
        return not _is_alive(self._homes.get(rank, {}))

    def reason(self, detail: str) -> str:
        """Return why a connection was closed, after a short search for the process that is gone."""
        deadline = time.monotonic() + _SEARCH_SECONDS
        while time.monotonic() < deadline and not self.failure:
            time.sleep(0.05)
            for rank in self._others():
                if self.is_dead(rank):
                    self.failure = self._gone(rank)
        if not self.failure:
            log.error("A connection was closed: %s", detail)
            self.failure = "The connection to another process of this training was lost."
        return self.failure

    def _others(self) -> list[int]:
        return [rank for rank in range(self._size) if rank != self._rank]

    def _gone(self, rank: int) -> str:
        self._gone_rank = rank
        host = self._homes.get(rank, {}).get("host", "another computer")
        what = "is gone" if self.is_dead(rank) else f"has not answered for {SILENT_SECONDS:.0f} s"
        return (
            f"Process {rank} of {self._size} (on {host}) {what}, so the training was ended on all of them. "
            "Resume the run: it goes on from its last checkpoint."
        )

    def _beat(self) -> None:
        with self._lock:
            self._count += 1
            state = {"count": self._count, "failure": self._own_failure, "stopped": self._is_stopped()}
            state["left"] = self._ended.is_set()
            self._store.set(f"beat {self._rank}", json.dumps(state))

    def _work(self) -> None:
        failed_at: float | None = None
        looked_at = time.monotonic()
        while not self._ended.wait(BEAT_SECONDS):
            now = time.monotonic()
            self._watched += min(now - looked_at, MOST_SECONDS_OF_A_LOOK)
            looked_at = now
            try:
                self._beat()
                if not self.failure:
                    self._look()
            except RuntimeError as exc:
                log.error("The store of the launcher is gone: %s", exc)
                self.failure = self.failure or "The computer that started this training cannot be reached any more."
            if not self.failure:
                continue
            failed_at = failed_at or now
            if self.speaks_for_all or now - failed_at > _SEARCH_SECONDS:  # by then the others have noticed it, too
                self._kill_gone()
            if not self._is_handled and now - failed_at > GRACE_SECONDS:
                self._end_process()

    def _look(self) -> None:
        others = self._others()
        states = self._store.multi_get([f"beat {rank}" for rank in others])
        now = self._watched
        for rank, text in zip(others, states, strict=True):
            state = json.loads(text)
            if state["stopped"] and not self._is_stopped():
                self._on_stop()
            if state["left"]:
                continue
            count, since = self._seen.get(rank, (-1, now))
            self._seen[rank] = (count, since) if count == state["count"] else (state["count"], now)
            if state["failure"]:
                self.failure = f"Process {rank} of {self._size}: {state['failure']}"
            elif now - self._seen[rank][1] > SILENT_SECONDS or self.is_dead(rank):
                self.failure = self._gone(rank)

    def _kill_gone(self) -> None:
        """Kill the process that no longer answers, if it is on this computer."""
        if self._gone_rank is None or not _is_here(self._homes[self._gone_rank]) or self.is_dead(self._gone_rank):
            return
        log.error("Process %d no longer answers, and is killed.", self._gone_rank)
        with suppress(OSError):  # it has ended meanwhile
            os.kill(int(self._homes[self._gone_rank]["pid"]), signal.SIGKILL)

    def _end_process(self) -> None:
        log.error("This process hangs, and is ended: %s", self.failure)
        try:
            if self.speaks_for_all:
                self.on_stuck(self.failure)
                print(f"distill: {self.failure}", file=sys.stderr, flush=True)  # nobody else is left to say it
        finally:
            os._exit(1)


def _home() -> dict[str, Any]:
    """Return where this process is to be found: its number counts only where numbers mean the same."""
    space = born = ""
    if sys.platform == "linux":
        try:
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
            space = f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - it leads to no file
            born = _state_and_birth(os.getpid())[1]
        except OSError:
            space = ""
    return {"host": platform.node() or "this computer", "pid": os.getpid(), "space": space, "born": born}


def _is_here(home: dict[str, Any]) -> bool:
    """Whether the number of a process means it on this computer, too."""
    return bool(home.get("space")) and home["space"] == _home()["space"]


def _is_alive(home: dict[str, Any]) -> bool:
    """Whether a process runs; what cannot be known from here is taken for alive."""
    if not _is_here(home):
        return True
    try:
        state, born = _state_and_birth(int(home["pid"]))
    except OSError:
        return False
    return born == home["born"] and state not in ("Z", "X")


def _state_and_birth(pid: int) -> tuple[str, str]:
    """Return the state of a process, and when it began: another one may get its number later."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    words = text.rpartition(")")[2].split()  # from the third one on; the second may hold anything
    return words[0], words[19]
