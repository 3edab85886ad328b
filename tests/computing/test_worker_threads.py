"""Tasks side by side: in order, not far ahead of the caller, and with nothing left behind."""

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch

from distill.computing.worker_threads import in_order

COUNT = 24


@pytest.fixture(params=[1, 2, 4], autouse=True)
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    assert torch.get_num_threads() == request.param
    torch.set_num_threads(before)


def number(value: int) -> tuple[int, int, bool]:
    return value, torch.get_num_threads(), torch.is_grad_enabled()


def test_results_come_in_order_from_single_threads_without_gradients() -> None:
    assert list(in_order(partial(number, n) for n in range(COUNT))) == [(n, 1, False) for n in range(COUNT)]


def test_a_caller_that_leaves_early_leaves_nothing_behind(threads: int) -> None:
    read: list[int] = []

    def tasks() -> Iterator[Callable[[], tuple[int, int, bool]]]:
        for n in range(1000):
            read.append(n)
            yield partial(number, n)

    results = in_order(tasks())
    assert next(results)[0] == 0
    results.close()  # type: ignore[attr-defined]
    assert len(read) < 100
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sounds")]


def test_an_error_reaches_the_caller() -> None:
    def fails() -> tuple[int, int, bool]:
        raise ValueError("no sound")

    tasks: list[Callable[[], tuple[int, int, bool]]] = [partial(number, 0), fails, partial(number, 2)]
    results = in_order(tasks)
    assert next(results)[0] == 0
    with pytest.raises(ValueError, match="no sound"):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sounds")]
