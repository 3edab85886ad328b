"""Reads and writes JSON files without trusting them: standard JSON, of limited size and depth."""

import errno
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distill.files import free_path, write_whole

_BLOCK_BYTES = 1 << 20

_MAX_JSON_BYTES = 16 << 20
_MAX_JSON_DEPTH = 64


def write_json(path: Path, data: Any) -> None:
    """Write standard JSON (no NaN, no Infinity), readable by a person.

    File names that are not valid UTF-8 are kept: their bytes are written as escapes of lone surrogates.

    Raises
    ------
    ValueError
        ``data`` holds a number that JSON cannot express.
    OSError
        The file cannot be written.
    """
    text = json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False)
    try:
        content = text.encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8: JSON can escape what UTF-8 cannot express
        content = json.dumps(data, indent=1, allow_nan=False).encode("ascii")
    with write_whole(path) as file:
        file.write(content)


def read_json(path: Path, most_bytes: int = _MAX_JSON_BYTES) -> Any:
    """Read a JSON file, with or without a byte order mark.

    Parameters
    ----------
    path
        The file.
    most_bytes
        Size over which it is refused.

    Raises
    ------
    OSError
        The file cannot be read, or is no regular file.
    ValueError
        It is too large, or `parse_json` refuses it.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"{path.name} is larger than {most_bytes >> 20} MB")
    return parse_json(content)


def parse_json(text: bytes | str) -> Any:
    """Return the value of a JSON text in UTF-8.

    Raises
    ------
    ValueError
        It is not standard JSON, or nested absurdly deep.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None
    level = [value]
    for _ in range(_MAX_JSON_DEPTH):
        inner: list[Any] = []
        for container in level:
            if isinstance(container, dict):
                inner += container.values()
            elif isinstance(container, list):
                inner += container
        level = [item for item in inner if isinstance(item, (dict, list))]
        if not level:
            return value
    raise ValueError("JSON that is nested too deep")


def keep_damaged(path: Path, name: str) -> None:
    """Rename a damaged file to ``name``, or to a free name like it, so that another can be written in its place.

    Raises
    ------
    OSError
        It cannot be renamed.
    """
    path.replace(free_path(path.with_name(name)))


def read_json_lines(path: Path, apply: Callable[[Any], object]) -> int:
    """Call ``apply`` with the value of each line of a file; return how many lines were skipped.

    A line is skipped that is no JSON or longer than a megabyte, or for which ``apply`` raises what bad values raise.

    Raises
    ------
    OSError
        The file cannot be read, or is no regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    skipped, is_rest = 0, False
    with path.open("rb") as file:
        while line := file.readline(_BLOCK_BYTES):
            was_rest, is_rest = is_rest, not line.endswith(b"\n")
            if was_rest or not line.strip():
                continue
            try:
                apply(parse_json(line))
            except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
                skipped += 1
    return skipped


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large a number")
    return number
