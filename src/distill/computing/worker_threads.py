"""Work on sounds that is done side by side: one thread of torch for each sound, results in the order of the tasks.

The steps on a single sound are too small to be divided among threads: two threads on one sound were hardly quicker
than one, on two sounds they are nearly twice as quick.  What becomes of a sound does not depend on how many there are.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch

T = TypeVar("T")

#: Most threads: beyond it memory is the limit.
_MOST_WORKERS = 8
#: Results that may wait for the caller, for each thread.
_AHEAD = 2
#: Seconds to wait for the threads to begin.
_BEGIN_S = 60.0


def in_order(tasks: Iterable[Callable[[], T]]) -> Iterator[T]:
    """Run tasks side by side and yield their results in order; at most some are ahead of the caller.

    There are as many threads as torch uses.  ``tasks`` is read in the calling thread.  Leaving the iterator drops what
    has not begun and waits for the tasks that run.
    """
    workers = min(_MOST_WORKERS, torch.get_num_threads())
    if workers == 1:
        for task in tasks:
            yield _without_gradients(task)
        return
    with _single_threaded(workers) as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(_without_gradients, task))
                while len(waiting) > _AHEAD * workers or (waiting and waiting[0].done()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _single_threaded(workers: int) -> ThreadPoolExecutor:
    """Return a pool whose threads use one thread of torch each; the caller's number of threads stays as it is."""
    threads = torch.get_num_threads()
    begun = Barrier(workers)

    def begin() -> None:
        begun.wait(_BEGIN_S)
        torch.get_num_threads()  # a thread takes the caller's number when torch first looks at it
        torch.set_num_threads(1)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="torch worker")
    try:
        for future in [pool.submit(begin) for _ in range(workers)]:
            future.result()
    except BaseException:
        pool.shutdown()
        raise
    torch.set_num_threads(threads)  # also for threads that torch meets later
    return pool


def _without_gradients(task: Callable[[], T]) -> T:
    with torch.no_grad():
        return task()
