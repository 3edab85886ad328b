"""Texts for a terminal: time spans, counts, and names without control characters."""


def duration(seconds: float) -> str:
    """Return a time span for people: ``1 h 05 min``, ``3 min 20 s``, ``12 s``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def count_of(number: int, one: str, many: str) -> str:
    """Return a number with what it counts: "1 run", "2 runs"."""
    return f"{number} {one if number == 1 else many}"


def printable(text: object) -> str:
    """Return ``text`` on one line, whatever a file name holds: control characters are written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(text))


def printable_lines(text: object) -> str:
    """Return ``text`` with its line breaks, but no other control character."""
    return "\n".join(printable(line) for line in str(text).splitlines())
