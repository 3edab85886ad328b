"""What a run has done since the last look at its folder, while another process trains in it.  No torch, no Qt."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.json_files import parse_json
from distill.metrics_history import AnyHistory
from distill.runs.preview_files import PreviewSound, find_previews
from distill.runs.run_history import HISTORY
from distill.runs.run_owner import training_host

#: Most bytes of a history that are read at a time.
_MOST_BYTES = 4 << 20
#: No line is longer.
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Growth:
    """What a look has found.

    Attributes
    ----------
    host
        The computer that trains; None where none does any more.
    events
        New steps and epochs, as in the history's file.
    position
        Bytes of the history that are read now.
    is_rewritten
        Whether the history has become shorter: the run was resumed, and is to be read anew.
    previews
        All previews.
    """

    host: str | None
    events: tuple[dict[str, Any], ...]
    position: int
    is_rewritten: bool
    previews: tuple[PreviewSound, ...]


def history_size(folder: Path) -> int:
    """Return the bytes of a run's history; 0 where there is none."""
    try:
        return (folder / HISTORY).stat().st_size
    except OSError:
        return 0


def whole_lines_size(folder: Path) -> int:
    """Return the bytes of a run's history up to the end of its last whole line; the next one may be under way."""
    try:
        with (folder / HISTORY).open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINE)
            file.seek(start)
            return start + file.read().rfind(b"\n") + 1
    except OSError:
        return 0


def read_growth(folder: Path, position: int) -> Growth:
    """Return what is new in a run's folder behind a position of its history; whole lines only."""
    size = history_size(folder)
    host = training_host(folder)
    previews = tuple(find_previews(folder / "previews"))
    if size < position:
        return Growth(host, (), position, True, previews)
    content = b""
    if size > position:
        try:
            with (folder / HISTORY).open("rb") as file:
                file.seek(position)
                content = file.read(_MOST_BYTES)
        except OSError:
            content = b""
    whole = content[: content.rfind(b"\n") + 1]
    if not whole and len(content) == _MOST_BYTES:
        whole = content  # no line is that long: the history is damaged here
    events = []
    for line in whole.splitlines():
        try:
            event = parse_json(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return Growth(host, tuple(events), position + len(whole), False, previews)


def add_events(history: AnyHistory, growth: Growth) -> bool:
    """Append the events that a history does not have yet; return whether there were any."""
    before = history.step_count, len(history.epochs)
    for event in growth.events:
        try:
            if _is_new(history, int(event["epoch"]), event.get("step")):
                history.add_dict(event)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue  # a damaged line
    return (history.step_count, len(history.epochs)) != before


def _is_new(history: AnyHistory, epoch: int, step: int | None) -> bool:
    if step is None:
        return not history.epochs or epoch > history.epochs[-1].epoch
    if not history.step_count:
        return True
    return (epoch, step) > (history.step_column("epoch")[-1], history.step_column("step")[-1])
