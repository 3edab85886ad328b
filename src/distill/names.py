"""Names of runs, models and files: as every system takes them, of a length that fits, free, and short in lists."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby, takewhile
from pathlib import Path

from distill.errors import ConfigurationError

#: Bytes of a name's stem and suffix, with room for a number that makes it unique; and what stays of a stem's end.
_MOST_NAME_BYTES, _KEPT_OF_END = 240, 60
#: Bytes of a part of a name: 60 letters of all but the rarest scripts.
_MOST_SLUG_BYTES = 180
#: Most characters of a name that a user gives a run or a model.  Longer ones of older versions stay as they are.
MOST_NAME = 80
#: A common beginning of all names is hidden only if it is at least this long.
_SHORTEST_PREFIX = 4
#: Categories of characters that belong to the letter before them.
_MARKS = frozenset(("Mn", "Mc"))
#: Names that Windows keeps for devices, with any suffix.
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³")}


def slug(text: str, fallback: str = "untitled") -> str:
    """Return ``text`` as a file name part that every system takes: letters with their marks, digits, dots and dashes.

    Marks are the accents of letters, and the vowels of Thai and Indian scripts.
    """
    # macOS hands out letters and their accents apart.
    plain = _with_marks(unicodedata.normalize("NFC", text)).strip("-._")[:60]
    plain = plain.encode()[:_MOST_SLUG_BYTES].decode(errors="ignore").rstrip("-._") or fallback
    return f"_{plain}" if plain.partition(".")[0].upper() in _RESERVED else plain


def _with_marks(text: str) -> str:
    """Return ``text`` with a dash for each stretch that is no name; a mark without a letter before it is none."""
    kept: list[str] = []
    has_letter = False
    for character in text:
        is_mark = unicodedata.category(character) in _MARKS and not "\ufe00" <= character <= "\ufe0f"  # of emoji
        if not is_mark:
            has_letter = character.isalnum()
        is_kept = has_letter if is_mark else re.match(r"[\w.-]", character) is not None
        kept.append(character if is_kept else "")
    return "".join("".join(run) if is_kept else "-" for is_kept, run in groupby(kept, bool))


def plain_name(text: str, fallback: str = "Sound", most: int = 60) -> str:
    """Return ``text`` as a readable file name that every system takes: as `slug`, with the spaces between words."""
    words = (slug(word, "") for word in text.split())
    return " ".join(word for word in words if word)[:most].strip(" .") or fallback


def file_name(stem: str, suffix: str) -> str:
    """Return a file name, without the middle of a stem that is too long for a disk: names end at 255 bytes."""
    encoded, room = os.fsencode(stem), _MOST_NAME_BYTES - len(os.fsencode(suffix))
    if len(encoded) <= room:
        return stem + suffix
    head, tail = encoded[: room - _KEPT_OF_END], encoded[len(encoded) - _KEPT_OF_END :]
    return f"{head.decode(errors='ignore')}{tail.decode(errors='ignore')}{suffix}"


def checked_name(name: str) -> str:
    """Return a name that a user gives a run or a model, on one line and without spaces around it.

    Raises
    ------
    ConfigurationError
        It is too long for rows, menus and file names.
    """
    name = " ".join(name.split())
    if len(name) > MOST_NAME:
        raise ConfigurationError(
            f"A name has at most {MOST_NAME} characters, and this one has {len(name)}. Choose a shorter one."
        )
    return name


def taken_names(runs: Iterable[str], queued: Iterable[str], models: Iterable[str]) -> set[str]:
    """Return the names that a new run does not get; a run that lies in another folder is known by its model's."""
    return {*runs, *queued, *models}


def free_name(name: str, taken: Collection[str]) -> str:
    """Return ``name``, or ``name 2``, ``name 3`` and so on where it is taken; letter case makes no difference."""
    known = {other.casefold() for other in taken}
    if name.casefold() not in known:
        return name
    number = 2
    while f"{name} {number}".casefold() in known:
        number += 1
    return f"{name} {number}"


def fold(text: str) -> str:
    """Return text for comparing: lower case, without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return names for display: without the beginning that all have in common, and without their extension.

    The beginning is cut at the end of a word.  A name that would be empty, or the same as another, stays as it is.
    """
    first, last = min(names, default=""), max(names, default="")
    prefix = "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    prefix = prefix[: max((prefix.rfind(mark) + 1 for mark in " _-."), default=0)]
    if len(prefix) < _SHORTEST_PREFIX or len(names) < 3:
        prefix = ""
    short = {name: Path(name.removeprefix(prefix)).stem for name in names}
    counts = Counter(short.values())
    return {name: text if text and counts[text] == 1 else name for name, text in short.items()}
