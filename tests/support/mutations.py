"""Ways in which a model file or checkpoint may be broken, by accident or on purpose; each is drawn from a seed."""

import io
import random
import struct
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import torch

Edit = Callable[[bytes, random.Random], bytes]


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    broken = bytearray(data)
    for _ in range(rng.randint(1, 20)):
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def flip_in_directory(data: bytes, rng: random.Random) -> bytes:
    """The directory of a zip archive lies at its end and is what everything is found by."""
    broken = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        broken[-rng.randint(1, 4000)] = rng.randrange(256)
    return bytes(broken)


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def overwrite(data: bytes, rng: random.Random) -> bytes:
    start, length = rng.randrange(len(data)), rng.randint(1, 5000)
    return data[:start] + rng.choice([bytes(length), rng.randbytes(length), b""]) + data[start + length :]


def parts_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    whole = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(whole, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of names that occur twice: they are the point
        for name, part in parts:
            archive.writestr(zipfile.ZipInfo(name), part, compression)
    return whole.getvalue()


def zip_surgery(data: bytes, rng: random.Random) -> bytes:
    parts = list(parts_of(data).items())
    number = rng.randrange(len(parts))
    name, part = parts[number]
    odd = rng.choice(
        ["../../evil", "/etc/passwd", "archive/../x", "archive\\data.pkl", "archive/code/run.py", "b/data.pkl"]
    )
    kind = rng.randrange(7)
    if kind == 0:
        parts.append((name, part))
    elif kind == 1:
        parts.append((odd, part))
    elif kind == 2:
        del parts[number]
    elif kind == 3:
        parts[number] = (odd, part)
    elif kind == 4:
        parts[number] = (name, part[: len(part) // 2] + bytes(rng.randint(0, 9)))
    elif kind == 5:
        return packed([*parts, ("archive/data/999", bytes(100_000_000))], zipfile.ZIP_DEFLATED)
    else:
        parts += [(f"archive/.{n}", b"") for n in range(30_000)]
    return packed(parts)


def lie_about_sizes(data: bytes, rng: random.Random) -> bytes:
    """Let the zip directory claim 50 GB, or any other number, for one of its parts."""
    broken = bytearray(data)
    positions = [n for n in range(len(data) - 60_000, len(data)) if n > 0 and data[n : n + 4] == b"PK\x01\x02"]
    at = rng.choice(positions)
    for field in rng.sample([20, 24, 42], rng.randint(1, 2)):
        struct.pack_into("<I", broken, at + field, rng.choice([0xFFFF_FFFE, 0xFFFF_FFFF, 0, rng.randrange(2**32)]))
    return bytes(broken)


#: Programs that are harmless to nobody: each is put into the place of the pickle, or into its middle.
PROGRAMS: tuple[bytes, ...] = (
    b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.",
    b"\x80\x02c__builtin__\nbytearray\n\x8a\x07" + (10**15).to_bytes(7, "little") + b"\x85R.",
    b"\x80\x02c__builtin__\neval\nX\x03\x00\x00\x001+1\x85R.",
    b"\x80\x02}r\xff\xff\xff\x7f.",  # a memo of two thousand million places
    b"\x80\x02}r\xff\xff\xff\xffj\xff\xff\xff\xff.",
    b"\x80\x02X\xff\xff\xff\x7fabc.",  # a text of two gigabytes
    b"\x80\x02\x8b\xff\xff\xff\x7f.",
    b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x00abc.",
    b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",  # lists in lists
    b"\x80\x02" + b"(" * 1_000_000 + b".",
    b"\x80\x02]q\x00h\x00a.",  # a list that contains itself
    b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",
    b"\x80\x02}X\x01\x00\x00\x00a"
    + b"]q\x00"
    + b"".join(b"](" + b"h" + bytes([n]) + b"h" + bytes([n]) + b"eq" + bytes([n + 1]) for n in range(40))
    + b"s.",
    b"\x80\x02}(X\x06\x00\x00\x00formatX\x0d\x00\x00\x00distill_modelX\x07\x00\x00\x00versionK\x01u.",
    b"\x80\x02(lp0\n.",
    b"",
    b".",
)


def pickle_surgery(data: bytes, rng: random.Random) -> bytes:
    """Change the pickle, with checksums that are right again: a program wrote it so."""
    parts = parts_of(data)
    name = next(name for name in parts if name.endswith("/data.pkl"))
    program = bytearray(parts[name])
    kind = rng.randrange(5)
    if kind == 0:
        program = bytearray(rng.choice(PROGRAMS))
    elif kind == 1:
        at = rng.randrange(2, len(program))
        program[at:at] = rng.choice(PROGRAMS)[2:-1]
    elif kind == 2:
        for _ in range(rng.randint(1, 8)):
            program[rng.randrange(len(program))] = rng.randrange(256)
    elif kind == 3:
        start = rng.randrange(len(program))
        del program[start : start + rng.randint(1, 60)]
    else:
        number = rng.choice([b"K\x01", b"M\x00\x01", b"K@", b"K\x00"])
        at = program.find(number, rng.randrange(len(program)))
        program[at : at + len(number)] = b"\x8a\x06" + rng.randbytes(5) + b"\x00"
    parts[name] = bytes(program)
    return packed(list(parts.items()))


_VALUES: tuple[Callable[[], Any], ...] = (
    lambda: None, lambda: -1, lambda: 10**15, lambda: float("nan"), lambda: "x" * 1000, list, dict,
    lambda: {1: {2: []}}, lambda: torch.zeros(3), lambda: torch.zeros(0), lambda: torch.full((2, 2), float("nan")),
    lambda: True,
    lambda: torch.zeros(1).expand(10**12), lambda: torch.zeros(4).bool(), lambda: [float("inf")] * 3, lambda: 65_536,
    lambda: torch.zeros(2, dtype=torch.complex64), lambda: torch.zeros(2, 2).to_sparse(), lambda: 4096, lambda: (),
)  # fmt: skip


def content_surgery(data: bytes, rng: random.Random) -> bytes:
    """Change what the file says: keys, types, shapes, sizes, numbers that are none; written as torch writes."""
    content = torch.load(io.BytesIO(data), weights_only=True)
    for _ in range(rng.randint(1, 3)):
        table = content
        while True:
            key = rng.choice(list(table))
            inner = table[key]
            if isinstance(inner, dict) and inner and rng.random() < 0.8:
                table = inner
                continue
            break
        kind = rng.randrange(4)
        if kind == 0:
            del table[key]
            if not table:
                break
        elif kind == 1 and isinstance(inner, torch.Tensor) and inner.is_floating_point() and inner.numel():
            changed = inner.clone()
            changed.view(-1)[rng.randrange(changed.numel())] = rng.choice([float("nan"), float("inf")])
            table[key] = changed
        elif kind == 2:
            table[rng.choice(["other", "version", "family"])] = rng.choice(_VALUES)()
        else:
            table[key] = rng.choice(_VALUES)()
    whole = io.BytesIO()
    torch.save(content, whole)
    return whole.getvalue()


EDITS: tuple[Edit, ...] = (
    flip_bits, flip_in_directory, cut, overwrite, zip_surgery, lie_about_sizes, pickle_surgery, pickle_surgery,
    content_surgery, content_surgery, content_surgery,
)  # fmt: skip


def mutated(data: bytes, seed: int) -> tuple[str, bytes]:
    """Return a broken copy of a file, the same for the same seed, and how it was broken."""
    rng = random.Random(seed)
    edit = rng.choice(EDITS)
    return edit.__name__, edit(data, rng)
