"""How dates, durations, levels, changes, sizes and counts are written in the window."""

from datetime import datetime

from PySide6.QtCore import QDateTime, QLocale

from distill.gui.widgets.plain_text import tr


def format_date(written: str) -> str:
    """Return an ISO 8601 date in the local time zone: ``27 Nov 14:05`` of this year, ``27 Nov 2024`` of another.

    A date that cannot be read is empty.
    """
    try:
        moment = datetime.fromisoformat(written).astimezone()
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
    pattern = "d MMM HH:mm" if moment.year == datetime.now().astimezone().year else "d MMM yyyy"
    return QLocale().toString(QDateTime.fromSecsSinceEpoch(int(moment.timestamp())), pattern)


def format_seconds(seconds: float) -> str:
    """Return how long a sound is: ``0.35 s``, ``12.0 s``, ``3:07``, ``1:02:05``."""
    if round(seconds, 2) < 10:
        return f"{seconds:.2f} s"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_length(seconds: float) -> str:
    """Return how long a sound is, in milliseconds where it is short: ``3 ms``, ``0.35 s``."""
    return tr("{0} ms").format(round(1000 * seconds)) if 0 < seconds < 0.1 else format_seconds(seconds)


def format_time_left(seconds: float) -> str:
    """Return how long something still takes: ``40 s``, ``12 min``, ``1 h 05 min``."""
    if round(seconds) < 60:
        return tr("{0} s").format(round(seconds))
    minutes = round(seconds / 60)
    if minutes < 60:
        return tr("{0} min").format(minutes)
    return tr("{0} h {1:02} min").format(*divmod(minutes, 60))


def format_level(decibels: float) -> str:
    """Return a level in decibels with one decimal, a real minus sign, and no minus zero."""
    return f"{round(decibels, 1) + 0.0:.1f}".replace("-", "\N{MINUS SIGN}")


def format_change(share: float) -> str:
    """Return a change in percent with its sign, a real minus sign: ``+5 %``, ``−12 %``; empty where it rounds to 0."""
    percent = f"{100 * share:+.0f} %".replace("-", "\N{MINUS SIGN}")
    return percent if round(100 * share) != 0 else ""


def format_bytes(count: int) -> str:
    """Return the size of a file: ``840 bytes``, ``12 kB``, ``3.4 MB``, ``210 MB``."""
    has_decimal = count >= 1_000_000 and len(str(count)) % 3 != 0  # the latter: under 100 of its unit
    return QLocale().formattedDataSize(count, int(has_decimal), QLocale.DataSizeFormat.DataSizeSIFormat)


def count_of(number: int, one: str, many: str) -> str:
    """Return ``one`` for 1, otherwise ``many`` with the number in place of ``{0}``; both are already translated."""
    return one if number == 1 else many.format(number)
