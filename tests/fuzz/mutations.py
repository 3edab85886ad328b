"""Ways in which a text, a table or a sound file may be broken; each is drawn from a seed."""

import json
import random
from collections.abc import Callable
from typing import Any

from tests.support.mutations import Edit, cut, flip_bits, overwrite

_ODD: tuple[Callable[[], Any], ...] = (
    lambda: None, lambda: -1, lambda: 0, lambda: 2**31, lambda: 2**63, lambda: 10**400, lambda: 1e308, lambda: -1e-308,
    lambda: True, lambda: "", lambda: "x" * 100_000, lambda: "a\ud800b", lambda: "\0", lambda: "../../etc/passwd",
    lambda: "/dev/zero", lambda: [], lambda: {}, lambda: [[[[]]]], lambda: {"a": {"b": None}}, lambda: [1, "2", None],
    lambda: ["x"] * 1000, lambda: "nan", lambda: "1e999", lambda: [float(n) for n in range(50)],
)  # fmt: skip
_RAW = (b"NaN", b"Infinity", b"1e999", b"[" * 3000, b'{"a":' * 3000, b"1" * 6000, b"\xff\xfe", b'"\\ud800"', b"")


def _broken_value(value: Any, rng: random.Random) -> Any:
    """Return a copy with one node, at any depth, that is gone, repeated or another."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        kind = rng.randrange(6)
        if kind == 0:
            return {k: v for k, v in value.items() if k != key}
        if kind == 1:
            return {**value, rng.choice(["", "version", "\0", "ä" * 300]): rng.choice(_ODD)()}
        return {**value, key: _broken_value(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return [*value[:at], _broken_value(value[at], rng), *value[at + rng.randrange(2) :]]
    return rng.choice(_ODD)()


def edit_json(data: bytes, rng: random.Random) -> bytes:
    """Change what a JSON text says, or what one of its lines does."""
    lines = data.splitlines() if rng.random() < 0.99 and data.count(b"\n{") > 2 else [data]
    at = rng.randrange(len(lines))
    try:
        value = json.loads(lines[at])
    except ValueError:
        return flip_bits(data, rng)
    for _ in range(rng.randint(1, 3)):
        value = _broken_value(value, rng)
    lines[at] = json.dumps(value).encode()
    return b"\n".join(lines)


def insert_raw(data: bytes, rng: random.Random) -> bytes:
    """Put what is no JSON in the place of a value."""
    positions = [n for n, byte in enumerate(data) if byte in b":,["]
    at = rng.choice(positions) + 1 if positions else 0
    return data[:at] + rng.choice(_RAW) + data[at + rng.randint(0, 3) :]


def edit_header(data: bytes, rng: random.Random) -> bytes:
    """Change sizes, rates and counts in the first bytes of a sound file, where its header is."""
    broken = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, width = rng.randrange(min(len(data), 160)), rng.choice([1, 2, 4, 8])
        value = rng.choice([0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), rng.randrange(2 ** (8 * width))])
        broken[at : at + width] = value.to_bytes(width, rng.choice(["little", "big"]))
    return bytes(broken)


def grow(data: bytes, rng: random.Random) -> bytes:
    """Repeat a part of a file, or add to its end."""
    start = rng.randrange(len(data))
    part = data[start : start + rng.randint(1, 3000)]
    return data[:start] + part * rng.randint(2, 50) + data[start:] + rng.choice([b"", bytes(70_000), b"TAG" * 50])


TEXT: tuple[Edit, ...] = (edit_json, edit_json, edit_json, insert_raw, flip_bits, cut, overwrite)
BINARY: tuple[Edit, ...] = (edit_header, edit_header, edit_header, flip_bits, cut, overwrite, grow)


def broken(data: bytes, seed: int, edits: tuple[Edit, ...]) -> tuple[str, bytes]:
    """Return a broken copy of a file, the same for the same seed, and how it was broken."""
    rng = random.Random(seed)
    edit = rng.choice(edits)
    return edit.__name__, edit(data, rng)
