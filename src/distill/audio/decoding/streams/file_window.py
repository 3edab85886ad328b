"""The bytes of a file by position, read in blocks.

Not mapped into memory: a mapped file that becomes shorter meanwhile, or whose disk fails, kills the process.
"""

import os
from typing import IO

_BLOCK_BYTES = 1 << 18
_BYTES_BEFORE = 1 << 13  # a walk looks ahead and comes back


class FileWindow:
    """A file of which a part is held in memory; what lies behind its end is empty.

    Parameters
    ----------
    file
        The open file.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        self._at, self._held = 0, b""

    def __len__(self) -> int:
        """Return the size of the file when it was opened."""
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        """Return the bytes from a start to a stop; errors are those of `find`."""
        start, stop = part.start, part.stop
        if start < self._at or stop > self._at + len(self._held):
            self._hold(start, stop - start)
        return self._held[start - self._at : stop - self._at]

    def find(self, wanted: bytes, start: int, end: int) -> int:
        """Return the position of the first of some bytes that lie between two positions; -1 where there are none.

        Raises
        ------
        OSError
            The file cannot be read.
        """
        while start < end:
            if start < self._at or start + len(wanted) > self._at + len(self._held):
                self._hold(start, len(wanted))
            found = self._held.find(wanted, start - self._at, end - self._at)
            if found >= 0:
                return self._at + found
            searched = self._at + len(self._held) - len(wanted) + 1
            if searched <= start:  # the end of the file
                break
            start = searched
        return -1

    def _hold(self, start: int, count: int) -> None:
        self._at = max(0, start - _BYTES_BEFORE)
        self._file.seek(self._at)
        self._held = self._file.read(start - self._at + max(count, _BLOCK_BYTES))
