"""Measures what a run takes, for the estimates of the next ones."""

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
