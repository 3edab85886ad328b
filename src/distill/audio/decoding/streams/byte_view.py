"""Views of the bytes of a file: assembled from its parts and from bytes in memory, or read in blocks by position.

Decoders get an assembled view where a file as it lies on disk would mislead them: a header without a length, tags
behind the sound, damage between two frames.  Nothing is copied but the replaced bytes.

Nothing is mapped into memory: a mapped file that becomes shorter meanwhile, or whose disk fails, kills the process.
"""

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import IO, Any

#: Either bytes, or ``(start, end)`` in the underlying file.
Segment = bytes | tuple[int, int]


@dataclass(frozen=True)
class ChannelSegments:
    """A recording whose channels follow one another in the file: the segments of a mono file for each."""

    channels: tuple[tuple[Segment, ...], ...]


#: A view of a recording; None stands for the file as it is.
PartSegments = tuple[Segment, ...] | ChannelSegments | None


class ByteView(io.RawIOBase):
    """The concatenation of segments of a file, readable and seekable.

    Parameters
    ----------
    path
        The underlying file.
    segments
        What the view consists of, in order.

    Attributes
    ----------
    error
        The first `OSError` of a read.  Decoders that read through a callback cannot pass it on themselves.

    Raises
    ------
    OSError
        The file cannot be opened.
    """

    def __init__(self, path: Path, segments: Sequence[Segment]) -> None:
        self._file = path.open("rb")  # first: a view that was not made is not closed
        super().__init__()
        self._segments = [part for part in segments if segment_bytes(part)]
        self._ends = list(accumulate(segment_bytes(part) for part in self._segments))
        self._at = 0
        self.error: OSError | None = None

    @property
    def size(self) -> int:
        """Bytes of the whole view."""
        return self._ends[-1] if self._ends else 0

    def readable(self) -> bool:
        """Returns True."""
        return True

    def seekable(self) -> bool:
        """Returns True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as the view goes; return the number of bytes."""
        target = memoryview(buffer).cast("B")
        done = 0
        while done < len(target) and self._at < self.size:
            number = bisect_right(self._ends, self._at)
            part = self._segments[number]
            offset = self._at - (self._ends[number] - segment_bytes(part))
            count = min(len(target) - done, self._ends[number] - self._at)
            if isinstance(part, bytes):
                target[done : done + count] = part[offset : offset + count]
            else:
                count = self._read_file(part[0] + offset, target[done : done + count])
                if count == 0:
                    break
            done += count
            self._at += count
        return done

    def _read_file(self, position: int, target: memoryview) -> int:
        try:
            self._file.seek(position)
            return self._file.readinto(target)
        except OSError as exc:
            self.error = self.error or exc
            return 0

    def close(self) -> None:
        """Close the underlying file."""
        if not self.closed:
            self._file.close()
        super().close()


def read_at(file: IO[bytes] | ByteView, at: int, count: int) -> bytes:
    """Return up to ``count`` bytes from a position on."""
    file.seek(at)
    return file.read(count)


def segment_bytes(part: Segment) -> int:
    """Return the length of a segment."""
    return len(part) if isinstance(part, bytes) else max(0, part[1] - part[0])


def overlaid(start: int, end: int, patches: Sequence[tuple[int, bytes]]) -> list[Segment]:
    """Return segments of ``start`` to ``end`` of a file with some bytes replaced.

    Parameters
    ----------
    start, end
        Range of the file in bytes.
    patches
        Position in the file and the new bytes; inside the range, not overlapping.
    """
    segments: list[Segment] = []
    for at, data in sorted(patches):
        segments += [(start, at), data]
        start = at + len(data)
    segments.append((start, end))
    return segments


def part_of(segments: Sequence[Segment], start: int, end: int) -> list[Segment]:
    """Return segments for the bytes from ``start`` to ``end`` of the view that others make."""
    segments_of_part: list[Segment] = []
    position = 0
    for part in segments:
        low, high = max(start - position, 0), min(end - position, segment_bytes(part))
        if low < high:
            segments_of_part.append(part[low:high] if isinstance(part, bytes) else (part[0] + low, part[0] + high))
        position += segment_bytes(part)
    return segments_of_part


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
