"""Takes out of libraries what the loader never reads: tables of local symbols, and what debuggers use.

A fifth of torch's largest library is names of its inner functions.  ``strip`` of binutils moves segments, which breaks
libraries that auditwheel or patchelf has rearranged.  Here nothing is moved: those sections lie behind everything that
is loaded, so the file is cut there, and gets a shorter table of sections.  A library that is laid out in another way
stays as it is.  Its exported names stay in any case.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

#: Of ELF with 64 bits, least significant byte first: the files that this reads.
_MAGIC = b"\x7fELF\x02\x01"
#: Header: offsets of the tables of segments and sections; sizes and numbers of their entries, and the names' section.
_OFFSETS, _NUMBERS = (32, "<QQ"), (54, "<5H")
_SEGMENT = "<IIQQQQQQ"
_SECTION = "<IIQQQQIIQQ"
#: Kind of a section without bytes in the file; mark of one that is loaded.
_NOBITS, _ALLOC = 8, 2
_ALIGNMENT = 8


class _Section(NamedTuple):
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int

    @property
    def end(self) -> int:
        return self.offset + (0 if self.kind == _NOBITS else self.size)


def drop(path: Path) -> int:
    """Shorten a library in place and return by how many bytes; 0 where it stays as it is."""
    before = path.stat().st_size
    with path.open("r+b") as file:
        if file.read(len(_MAGIC)) == _MAGIC:
            _shorten(file, before)
    return before - path.stat().st_size


def _shorten(file: BinaryIO, size: int) -> None:
    segments_at, sections_at = _read(file, *_OFFSETS)
    segment_size, segment_number, section_size, section_number, names_index = _read(file, *_NUMBERS)
    if section_size != struct.calcsize(_SECTION) or not names_index < section_number:
        return
    segments = [_read(file, segments_at + n * segment_size, _SEGMENT) for n in range(segment_number)]
    sections = [_Section(*_read(file, sections_at + n * section_size, _SECTION)) for n in range(section_number)]
    loaded = [n for n, section in enumerate(sections) if n == 0 or section.flags & _ALLOC]
    # Symbols, and sections among each other, name a section by its number: none of those that stay may get another one.
    if loaded != list(range(len(loaded))):
        return
    kept = sections[: len(loaded)]
    end = max(
        segments_at + segment_number * segment_size, *(offset + length for _, _, offset, _, _, length, _, _ in segments)
    )
    end = max(end, *(section.end for section in kept))
    names = sections[names_index]
    file.seek(names.offset)
    text = file.read(names.size)
    names_at = _aligned(end)
    table_at = _aligned(names_at + len(text))
    if table_at + (len(kept) + 1) * section_size >= size:
        return
    file.seek(end)
    file.write(bytes(names_at - end) + text + bytes(table_at - names_at - len(text)))
    for section in (*kept, names._replace(offset=names_at)):
        file.write(struct.pack(_SECTION, *section))
    file.truncate()
    _write(file, *_OFFSETS, segments_at, table_at)
    _write(file, *_NUMBERS, segment_size, segment_number, section_size, len(kept) + 1, len(kept))


def _read(file: BinaryIO, offset: int, form: str) -> tuple[int, ...]:
    file.seek(offset)
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _write(file: BinaryIO, offset: int, form: str, *values: int) -> None:
    file.seek(offset)
    file.write(struct.pack(form, *values))


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGNMENT) * _ALIGNMENT
