"""Writes the figures of a history as CSV, to bytes."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from distill.metrics_history import AnyHistory

#: A table: names of columns, and rows.
Rows = tuple[Sequence[str], Iterable[Sequence[Any]]]


def step_table(history: AnyHistory) -> Rows:
    """Return all figures of all steps, as a copy that another thread may write."""
    columns = {f.name: history.step_column(f.name)[: history.step_count] for f in fields(history.step_type)}
    return _flat_table(columns)


def epoch_table(history: AnyHistory) -> Rows:
    """Return all figures of all epochs."""
    rows = [asdict(e) for e in history.epochs]
    columns = {f.name: [row[f.name] for row in rows] for f in fields(history.epoch_type)}
    return _flat_table(columns)


def csv_bytes(table: Rows) -> bytes:
    """Return a table as a CSV file (RFC 4180, UTF-8); numbers are exact, missing ones empty."""
    names, rows = table
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue().encode()


def _flat_table(columns: Mapping[str, Sequence[Any]]) -> Rows:
    """Flatten the codebook health into columns such as ``codebook_health.level_0.utilization``."""
    csv_columns: dict[str, Sequence[Any]] = {}
    for name, column in columns.items():
        example: Mapping[str, Mapping[str, Any]] | None = next((v for v in column if isinstance(v, Mapping)), None)
        if example is not None:
            for level, figures in example.items():
                for figure in figures:
                    csv_column = [(cell or {}).get(level, {}).get(figure) for cell in column]
                    csv_columns[f"{name}.{level}.{figure}"] = csv_column
        else:
            csv_columns[name] = ["; ".join(cell) if isinstance(cell, list) else cell for cell in column]
    return list(csv_columns), zip(*csv_columns.values(), strict=True)
