"""Measures what a run takes, for the estimates of the next ones."""

import sys
from collections import defaultdict


class Stopwatch:
    """Adds up seconds by name, and how often each was measured."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.counts: defaultdict[str, int] = defaultdict(int)

    def add(self, name: str, seconds: float, count: int = 1) -> None:
        """Add seconds in which so many were done."""
        self.seconds[name] += seconds
        self.counts[name] += count

    def mean(self, name: str) -> float:
        """Return the seconds for each; 0 where nothing was measured."""
        return self.seconds[name] / self.counts[name] if self.counts[name] else 0.0


def peak_memory() -> int:
    """Return the largest memory of this process in bytes; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
