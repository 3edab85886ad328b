"""Reads and writes the history of a run, ``history.jsonl``: all of it, its epochs, where it ends, what is new in it.

No torch here.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.events import Event, event_to_dict
from distill.files import write_whole
from distill.json_files import parse_json, read_json_lines
from distill.metrics_history import AnyHistory, MetricsHistory, VQMetricsHistory
from distill.runs.preview_files import PreviewSound, find_previews
from distill.runs.run_owner import training_host
from distill.runs.run_record import RunRecord

log = logging.getLogger(__name__)

HISTORY = "history.jsonl"
#: How the line of an epoch begins, whatever the family; the lines of steps begin otherwise.
_EPOCH_LINE_STARTS = (b'{"event": "EpochMetrics"', b'{"event": "VQEpochMetrics"')
#: Bytes of a history that are read at once.
_CHUNK_BYTES = 1 << 20
#: Bytes at the end of a history that its last steps are read from.
_TAIL_BYTES = 1 << 18
#: Most bytes of what is new in a history that are read at a time.
_MOST_NEW_BYTES = 4 << 20
#: No line of a history is longer.
_LONGEST_LINE = 1 << 20


def read_history(run_dir: Path | str) -> AnyHistory:
    """Return the steps and epochs of a run as far as they are on disk, without damaged lines.

    Raises
    ------
    RunFolderError
        The folder is no run.
    """
    run_dir = Path(run_dir)
    record = RunRecord.load(run_dir)
    history: AnyHistory = VQMetricsHistory() if record.config.family == "vqvae" else MetricsHistory()
    try:
        damaged_lines = read_json_lines(run_dir / HISTORY, history.add_dict)
    except FileNotFoundError:
        return history
    except OSError as exc:
        log.warning("The history of %s cannot be read: %s", run_dir, exc)
        return history
    if damaged_lines:
        log.warning("%d damaged lines in the history of %s were skipped.", damaged_lines, run_dir)
    return history


def read_losses(history: Path) -> Iterator[float]:
    """Yield the held-out loss of each epoch in a history; what a crash cut short is left out."""
    for epoch in read_epochs(history):
        try:
            yield float(epoch["val_loss"])
        except (ValueError, LookupError, TypeError, OverflowError):
            continue


def read_epochs(history: Path) -> Iterator[dict[str, Any]]:
    """Yield what was measured in each epoch of a history, by name; damaged lines are left out."""
    try:
        with history.open("rb", buffering=_CHUNK_BYTES) as file:
            for line in file:
                if line.startswith(_EPOCH_LINE_STARTS):
                    with suppress(ValueError):
                        yield parse_json(line)
    except OSError as exc:
        log.info("A history cannot be read: %s", exc)


def last_position(run_dir: Path, history_type: type[AnyHistory]) -> float:
    """Return where a run's history on disk ends, in epochs; only its last lines are read."""
    history = history_type()
    try:
        with (run_dir / HISTORY).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return 0.0
    for line in lines:  # the first one may be cut
        with suppress(ValueError, LookupError, TypeError, AttributeError, OverflowError):
            history.add_dict(parse_json(line))
    return history.position


# --- writing ------------------------------------------------------------------------------------------------------


def write_history(run_dir: Path, history: AnyHistory) -> None:
    """Replace the history of a run, whole or not at all.

    Raises
    ------
    OSError
        It cannot be written.
    """
    if not history.step_count and not history.epochs:
        (run_dir / HISTORY).unlink(missing_ok=True)
        return
    with write_whole(run_dir / HISTORY) as file:
        file.writelines(_history_line(event) for event in history.events())


def append_history(run_dir: Path, events: Iterable[Event]) -> None:
    """Append events to the history of a run, all or none.

    Raises
    ------
    OSError
        It cannot be written.
    """
    left = memoryview(b"".join(_history_line(event) for event in events))
    if not left:
        return
    with (run_dir / HISTORY).open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            while left:
                left = left[file.write(left) :]
        except OSError:
            with suppress(OSError):  # what was written comes again with the next try
                file.truncate(before)
            raise


def _history_line(event: Event) -> bytes:
    """Return the line of an event in a history."""
    return (json.dumps(event_to_dict(event), allow_nan=False) + "\n").encode()


# --- what another process has added -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Growth:
    """What a run has done since the last look at its folder, while another process trains in it.

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
                content = file.read(_MOST_NEW_BYTES)
        except OSError:
            content = b""
    whole = content[: content.rfind(b"\n") + 1]
    if not whole and len(content) == _MOST_NEW_BYTES:
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
