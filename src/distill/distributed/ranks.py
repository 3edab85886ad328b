"""The processes of a training: one, or those that torchrun has started.

`Ranks` is the one process, which shares with nobody: everything in it is free.  `JoinedRanks` has a group of torch's
for tensors that are needed within a step, and the store of the launcher for everything that may take long: whoever
waits there notices when another process has died.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from distill.distributed.peer_watch import MOST_SECONDS_OF_A_LOOK, PeerWatch
from distill.distributed.shared_batch import BatchSlice
from distill.distributed.torchrun import Launch, read_launch
from distill.errors import Cancelled, PeerError, TrainingError

log = logging.getLogger(__name__)

#: Longest wait for all processes to be there, in seconds.
_JOIN_SECONDS = 180.0
#: Longest wait within a step; a process that has died is noticed long before, by its connection or by the watch.
_STEP_TIMEOUT = timedelta(minutes=30)
#: Seconds between two looks at the store.
_POLL_SECONDS = 0.05
#: Seconds for which a process waits for the first one to end a run that has failed.
_END_SECONDS = 25.0


class Ranks:
    """One process on its own."""

    rank = 0
    size = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run's files and emits its events."""
        return self.rank == 0

    @property
    def speaks_for_all(self) -> bool:
        """Whether this process says why the training has failed: the first one, or the next where it is gone."""
        return self.is_first

    @property
    def failure(self) -> str:
        """Why another process is gone; empty while all are there."""
        return ""

    @property
    def seconds_exchanging(self) -> float:
        """Seconds spent in sums over all processes, with the wait for the slowest."""
        return 0.0

    def device_name(self, name: str) -> str:
        """Return the name of the device to look for, of the one that a user or a record names."""
        return name

    def device(self, chosen: torch.device) -> torch.device:
        """Return the device that this process computes on, of a kind that was chosen."""
        return chosen

    def slice_of(self, total: int) -> BatchSlice | None:
        """Return the slice of a batch that this process computes; None: all of it."""
        return None

    def all_reduce(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all processes; all call it at the same point."""

    def any_rank(self, *flags: bool) -> list[bool]:
        """Return of each flag whether it is set on any process; all call it at the same point."""
        return list(flags)

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by those of the first process; all call it at the same point."""

    def on_first(self, work: Callable[[], Any]) -> Any:
        """Let the first process do something while the others wait, and return its result, plain values, on all.

        Raises
        ------
        PeerError
            The first process has failed, or another one is gone.
        Cancelled
            The user has stopped the run.
        """
        return work()

    def barrier(self) -> None:
        """Wait until all processes are here; errors are those of `on_first`."""

    def own_part(self, items: int) -> range:
        """Return the numbers of the items that this process prepares."""
        return range(items)

    def on_stuck(self, record: Callable[[str], None]) -> None:
        """Set what is called with the reason if this process has to be ended because another one is gone."""

    def fail(self, reason: str) -> None:
        """Tell the others that this process cannot go on."""

    def end(self, outcome: dict[str, Any]) -> None:
        """Tell the others how the run has ended."""

    def wait_for_end(self) -> dict[str, Any] | None:
        """Return how the run has ended; None where the first process is gone."""
        return None


class JoinedRanks(Ranks):
    """A process among several.

    Parameters
    ----------
    launch
        What the launcher says.
    on_stop
        Called from a thread when the user has stopped another process.
    is_stopped
        Whether the user has stopped this one.
    """

    def __init__(self, launch: Launch, on_stop: Callable[[], None], is_stopped: Callable[[], bool]) -> None:
        self.rank, self.size = launch.rank, launch.size
        self._is_stopped = is_stopped
        # Here, because there are builds of torch without them.
        from torch.distributed.distributed_c10d import PrefixStore
        from torch.distributed.rendezvous import rendezvous

        store, rank, size = next(rendezvous("env://", timeout=timedelta(seconds=_JOIN_SECONDS)))
        store.set_timeout(_STEP_TIMEOUT)
        await_all(PrefixStore("distill joining", store.clone()), rank, size, is_stopped)
        if torch.cuda.is_available():
            torch.cuda.set_device(launch.local_rank % torch.cuda.device_count())
        has_nccl = torch.cuda.is_available() and dist.is_nccl_available()
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if has_nccl else "gloo", store=store, rank=rank, world_size=size, timeout=_STEP_TIMEOUT
        )
        self._store = PrefixStore("distill", store.clone())
        self._calls = 0
        self._exchanging = 0.0
        self.watch = PeerWatch(PrefixStore("distill watch", store.clone()), self.rank, self.size, on_stop, is_stopped)
        self.watch.start()
        self.barrier()

    @property
    def speaks_for_all(self) -> bool:
        """Whether this process says why the training has failed: the first one, or the next where it is gone."""
        return self.watch.speaks_for_all

    @property
    def failure(self) -> str:
        """Why another process is gone; empty while all are there."""
        return self.watch.failure

    @property
    def seconds_exchanging(self) -> float:
        """Seconds spent in sums over all processes, with the wait for the slowest."""
        return self._exchanging

    def device_name(self, name: str) -> str:
        """Return ``"cuda"`` for any of its devices: each process has its own."""
        return "cuda" if name.startswith("cuda") else name

    def device(self, chosen: torch.device) -> torch.device:
        """Return the device that this process computes on: on CUDA the one of its number on this computer."""
        if chosen.type != "cuda":
            return chosen
        return torch.device("cuda", torch.cuda.current_device())

    def slice_of(self, total: int) -> BatchSlice | None:
        """Return the slice of a batch that this process computes."""
        return BatchSlice.of_rank(self.rank, self.size, total, self.all_reduce)

    def all_reduce(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all processes."""
        started = time.perf_counter()
        with self._noticing():
            dist.all_reduce(tensor)
        self._exchanging += time.perf_counter() - started

    def any_rank(self, *flags: bool) -> list[bool]:
        """Return of each flag whether it is set on any process."""
        any_flags = torch.tensor(flags, dtype=torch.int32)  # on the CPU: no wait for a GPU
        self.all_reduce(any_flags)
        return [bool(count) for count in any_flags.tolist()]

    @torch.no_grad()
    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by those of the first process."""
        with self._noticing():
            for tensor in tensors:
                sent = tensor.detach().contiguous()  # channels last is not
                dist.broadcast(sent, 0)
                tensor.copy_(sent)

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Turn an error of the connection into one that says who is gone."""
        try:
            if self.failure:
                raise PeerError(self.failure)
            yield
        except RuntimeError as exc:
            if isinstance(exc, PeerError):
                raise
            raise PeerError(self.watch.reason(str(exc))) from exc

    def on_first(self, work: Callable[[], Any]) -> Any:
        """Let the first process do something while the others wait, and return its result on all."""
        self._calls += 1
        key = f"first {self._calls}"
        if not self.is_first:
            found = json.loads(self._wait(lambda: self._store.get(key) if self._store.check([key]) else None))
            if found.get("stopped"):
                raise Cancelled
            if "error" in found:
                raise PeerError(found["error"])
            return found["value"]
        try:
            value = work()
        except BaseException as exc:
            found = {"error": str(exc) or type(exc).__name__, "stopped": isinstance(exc, Cancelled)}
            self._store.set(key, json.dumps(found))
            raise
        self._store.set(key, json.dumps({"value": value}))
        return value

    def barrier(self) -> None:
        """Wait until all processes are here."""
        self._calls += 1
        key = f"meet {self._calls}"
        self._store.add(key, 1)
        self._wait(lambda: True if self._store.add(key, 0) >= self.size else None)

    def _wait(self, look: Callable[[], Any]) -> Any:
        while True:
            try:
                found = look()
            except RuntimeError as exc:  # the store is gone, and the process that holds it
                raise PeerError(self.watch.reason(str(exc))) from exc
            if found is not None:
                return found
            if self.failure:
                raise PeerError(self.failure)
            if self._is_stopped():
                raise Cancelled
            time.sleep(_POLL_SECONDS)

    def own_part(self, items: int) -> range:
        """Return the numbers of the items that this process prepares."""
        return range(self.rank, items, self.size)

    def on_stuck(self, record: Callable[[str], None]) -> None:
        """Set what is called with the reason if this process has to be ended because another one is gone.

        Of all processes the first one calls it, or the second where the first is the one that is gone.
        """
        self.watch.on_stuck = record

    def fail(self, reason: str) -> None:
        """Tell the others that this process cannot go on, and let go of them at once."""
        self.watch.report_failure(reason)
        with suppress(RuntimeError, ValueError):
            dist.destroy_process_group()

    def end(self, outcome: dict[str, Any]) -> None:
        """Tell the others how the run has ended."""
        with suppress(RuntimeError):
            self._store.set("end", json.dumps(outcome))

    def wait_for_end(self) -> dict[str, Any] | None:
        """Return how the run has ended; None where the first process is gone."""
        since_failure: float | None = None
        while True:
            with suppress(RuntimeError, ValueError):
                if self._store.check(["end"]):
                    return dict(json.loads(self._store.get("end")))
            if self.watch.is_dead(0):
                return None
            if self.failure:
                since_failure = since_failure or time.monotonic()
                if time.monotonic() - since_failure > _END_SECONDS:
                    return None
            time.sleep(_POLL_SECONDS)

    def leave(self) -> None:
        """Let go of the others: the first process last, which may hold the store."""
        self.watch.stop()
        with suppress(RuntimeError):
            self._store.set(f"left {self.rank}", "")
            deadline = time.monotonic() + 5
            others = [f"left {rank}" for rank in range(1, self.size)]
            while self.is_first and time.monotonic() < deadline and not self._store.check(others):
                time.sleep(_POLL_SECONDS)
        if dist.is_initialized():
            with suppress(RuntimeError, ValueError):
                dist.destroy_process_group()


def await_all(store: Any, rank: int, size: int, is_stopped: Callable[[], bool]) -> None:
    """Wait in the launcher's store until all processes are there; torch's own wait does not say who is missing.

    Raises
    ------
    TrainingError
        One is not there in time, or the user has stopped this one.
    """
    keys = [str(number) for number in range(size)]
    store.set(keys[rank], "")
    waited, looked_at = 0.0, time.monotonic()
    while not store.check(keys):
        now = time.monotonic()
        waited, looked_at = waited + min(now - looked_at, MOST_SECONDS_OF_A_LOOK), now
        if is_stopped():
            raise TrainingError("Stopped before all processes of the training were there; nothing was begun.")
        if waited > _JOIN_SECONDS:
            missing = next(key for key in keys if not store.check([key]))
            raise TrainingError(
                f"Process {missing} of {size} has not joined the training within {_JOIN_SECONDS:.0f} s; nothing was "
                "begun. Look whether its computer is up and the process runs, then start all again."
            )
        time.sleep(_POLL_SECONDS)


#: A training on its own.
ALONE = Ranks()
_current: Ranks = ALONE


def current_ranks() -> Ranks:
    """Return the processes that this one trains with."""
    return _current


@contextmanager
def joined(stop: threading.Event) -> Iterator[Ranks]:
    """Join the processes that a launcher has started, for the length of the block; without one this process is alone.

    Parameters
    ----------
    stop
        Set by the user's wish to stop; it is set here when the user has stopped another of the processes.

    Raises
    ------
    TrainingError
        The others cannot be reached.
    """
    global _current
    launch = read_launch()
    if launch is None:
        yield ALONE
        return
    if not dist.is_available():
        raise TrainingError("This build of torch cannot train on several processes. Start Distill without torchrun.")
    os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "1")
    try:
        ranks = JoinedRanks(launch, stop.set, stop.is_set)
    except TrainingError:
        raise
    except (RuntimeError, ValueError, OSError) as exc:
        raise TrainingError(f"The other processes of this training cannot be reached ({str(exc)[:200]}).") from exc
    _current = ranks
    try:
        yield ranks
    finally:
        _current = ALONE
        log.info("Process %d of %d: %.1f s in exchanges", ranks.rank, ranks.size, ranks.seconds_exchanging)
        ranks.leave()
