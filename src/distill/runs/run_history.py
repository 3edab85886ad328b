"""Reads the history of a run, ``history.jsonl``: all of it, its epochs, or where it ends.  No torch here."""

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from distill.json_files import parse_json, read_json_lines
from distill.metrics_history import AnyHistory, MetricsHistory, VQMetricsHistory
from distill.runs.run_record import RunRecord

log = logging.getLogger(__name__)

HISTORY = "history.jsonl"
#: How the line of an epoch begins, whatever the family; the lines of steps begin otherwise.
_EPOCH_STARTS = (b'{"event": "EpochMetrics"', b'{"event": "VQEpochMetrics"')
#: Bytes of a history that are read at once.
_CHUNK_BYTES = 1 << 20
#: Bytes at the end of a history that its last steps are read from.
_TAIL_BYTES = 1 << 18


def read_history(run_dir: Path | str) -> AnyHistory:
    """Return the steps and epochs of a run as far as they are on disk, without damaged lines.

    Raises
    ------
    RunFolderError
        The folder is no run.
    """
    folder = Path(run_dir)
    record = RunRecord.load(folder)
    history: AnyHistory = VQMetricsHistory() if record.config.family == "vqvae" else MetricsHistory()
    try:
        skipped = read_json_lines(folder / HISTORY, history.add_dict)
    except FileNotFoundError:
        return history
    except OSError as exc:
        log.warning("The history of %s cannot be read: %s", folder, exc)
        return history
    if skipped:
        log.warning("%d damaged lines in the history of %s were skipped.", skipped, folder)
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
                if line.startswith(_EPOCH_STARTS):
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
