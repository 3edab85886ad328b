"""Names of models as they are shown: with a part of the id, or the file, where several have the same."""

from collections.abc import Sequence
from dataclasses import replace

from distill.library.model_entry import ModelEntry
from distill.names import fold


def with_unique_names(entries: Sequence[ModelEntry]) -> list[ModelEntry]:
    """Return the entries with shown names that are unique."""
    names = [fold(entry.name) for entry in entries]
    with_ids = [f"{entry.name} ({entry.model_id[:8] or entry.path.stem})" for entry in entries]
    unique = []
    for entry, name, with_id in zip(entries, names, with_ids, strict=True):
        if names.count(name) == 1:
            shown = entry.name
        else:
            shown = with_id if with_ids.count(with_id) == 1 else f"{entry.name} ({entry.path.stem})"
        unique.append(replace(entry, shown_name=shown))
    return unique
