"""Arrays in files of the cache: written whole, and read with plain reads.

A file that has shrunk, or a disk that fails, is an error (`OSError`) and not the end of the process, as it would be if
the file were mapped into memory.
"""

import math
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt


def read_rows(file: Path, start: int, count: int) -> npt.NDArray[Any]:
    """Return rows ``start`` to ``start + count`` of the array in a file, as far as there are so many.

    Raises
    ------
    OSError
        The file is gone, or cannot be read.
    ValueError
        It holds something else.
    """
    with file.open("rb", buffering=0) as stored:
        shape, dtype = _read_header(stored)
        if not shape:
            raise ValueError("the array has no rows")
        rows: npt.NDArray[Any] = np.empty((max(0, min(count, shape[0] - start)), *shape[1:]), dtype)
        if rows.size:
            stored.seek(start * (rows.nbytes // len(rows)), os.SEEK_CUR)
            _fill(stored, rows)
    return rows


def _read_header(stored: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape and the type of a ``.npy`` file that is whole; its data come next.

    Raises
    ------
    ValueError
        It is something else, or not as long as it must be.
    """
    np.lib.format.read_magic(stored)
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stored)
    size = stored.tell() + math.prod(shape) * dtype.itemsize
    if is_fortran or dtype.hasobject or min(shape, default=0) < 0 or size != os.fstat(stored.fileno()).st_size:
        raise ValueError("the array is damaged")
    return shape, dtype


def read_into(file: Path, offset: int, array: npt.NDArray[Any]) -> None:
    """Fill an array with what stands at a position in a file.

    Raises
    ------
    OSError
        The file is gone, has shrunk, or cannot be read.
    """
    with file.open("rb", buffering=0) as stored:
        stored.seek(offset)
        _fill(stored, array)


def _fill(stored: IO[bytes], array: npt.NDArray[Any]) -> None:
    left = array.reshape(-1).view(np.uint8).data
    while left:
        count = stored.readinto(left)  # type: ignore[attr-defined]  # of an unbuffered file
        if not count:
            raise OSError("the file has shrunk")
        left = left[count:]


def write_array(out: IO[bytes], array: npt.NDArray[Any]) -> None:
    """Write a ``.npy`` file.  Not by `numpy.save`, whose error on a full disk does not say that it is full."""
    array = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(out, np.lib.format.header_data_from_array_1_0(array))
    out.write(array.tobytes() if array.size < 1 << 20 else array.reshape(-1).view(np.uint8).data)


def is_whole_array(file: Path) -> bool:
    """Return whether a file holds an array, as long as it must be."""
    try:
        with file.open("rb", buffering=0) as stored:
            _read_header(stored)
    except (OSError, ValueError):
        return False
    return True
