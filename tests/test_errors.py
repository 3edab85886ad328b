"""What says that memory was not enough, and what does not."""

import errno

import pytest

from distill.errors import MemoryShortError, is_memory_error

SHORT = [
    MemoryError(), MemoryShortError("x"), OSError(errno.ENOMEM, "Cannot allocate memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), RuntimeError("std::bad_alloc"),
    RuntimeError("could not create a primitive"), RuntimeError("could not execute a primitive"),
    RuntimeError("can't start new thread"),
    ImportError("libtorch_python.so: failed to map segment from shared object"),
]  # fmt: skip
OTHER = [
    None, ValueError("out of memory"), OSError(errno.ENOSPC, "No space left"), RuntimeError("shape mismatch"),
    RuntimeError("could not create a primitive descriptor for the matmul primitive"),
    ImportError("No module named torch"), KeyError("memory"),
]  # fmt: skip


@pytest.mark.parametrize("error", SHORT)
def test_a_lack_of_memory_is_told_apart(error: BaseException) -> None:
    assert is_memory_error(error)


@pytest.mark.parametrize("error", OTHER)
def test_other_errors_are_none(error: BaseException | None) -> None:
    assert not is_memory_error(error)
