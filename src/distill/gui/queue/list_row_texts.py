"""What the queue says of a run that waits in it: its state, sounds, settings and fixes, and why it failed."""

from PySide6.QtCore import QCoreApplication

from distill.config.family_catalog import family_info
from distill.gui.widgets.formatting import count_of
from distill.gui.widgets.plain_text import rich_tip
from distill.runs.queue import FAILED, FINISHED, RUNNING, STOPPED, QueueEntry

translate = QCoreApplication.translate

#: Most sounds that a tooltip names.
_MOST_SHOWN = 5


def status_text(entry: QueueEntry, is_training: bool) -> str:
    """Return the state of an entry in a word."""
    if entry.status == RUNNING:
        return translate("QueueModel", "training") if is_training else translate("QueueModel", "interrupted")
    return {
        STOPPED: translate("QueueModel", "paused"),
        FINISHED: translate("QueueModel", "finished"),
        FAILED: translate("QueueModel", "failed"),
    }.get(entry.status, translate("QueueModel", "waiting"))


def facts_text(entry: QueueEntry) -> str:
    """Return why it failed, otherwise its family, sounds, epochs and changed settings."""
    return entry.problem or _settings_text(entry)


def _settings_text(entry: QueueEntry) -> str:
    info = family_info(entry.family)
    parts = [info.plain_name]
    if len(entry.sounds) == 1:
        parts.append(entry.sounds[0].name)
    else:
        parts.append(translate("QueueModel", "{0} sounds").format(len(entry.sounds)))
    if entry.epochs is not None:
        parts.append(count_of(entry.epochs, translate("QueueModel", "1 epoch"), translate("QueueModel", "{0} epochs")))
    if entry.origin_text:
        parts.append(translate("QueueModel", "from {0}").format(entry.origin_text))
    if entry.fixes:
        parts.append(
            count_of(
                len(entry.fixes), translate("QueueModel", "1 sound fixed"), translate("QueueModel", "{0} sounds fixed")
            )
        )
    if (patience := entry.changes.get("patience")) is not None:
        parts.append(translate("QueueModel", "patience {0}").format(patience))
    if (seed := entry.changes.get("seed")) is not None:
        parts.append(translate("QueueModel", "seed {0}").format(seed))
    return " · ".join(parts)


def _fixes_text(entry: QueueEntry) -> str:
    """Return what is fixed in which sounds; empty for nothing."""
    parts = [f"{path.name} ({fix.text})" for path, fix in sorted(entry.fixes.items()) if fix.text]
    if not parts:
        return ""
    more = len(parts) - _MOST_SHOWN
    parts = [*parts[:_MOST_SHOWN], *([translate("QueueModel", "{0} more").format(more)] if more > 0 else [])]
    return translate("QueueModel", "Fixed when read: {0}").format(", ".join(parts))


def spoken_text(entry: QueueEntry, is_training: bool) -> str:
    """Return what a screen reader says of an entry."""
    return ", ".join([entry.name, status_text(entry, is_training), facts_text(entry)])


def entry_tip(entry: QueueEntry) -> str:
    """Return what is said of an entry under the pointer."""
    shown = (str(path) for path in entry.sounds[:_MOST_SHOWN])
    return rich_tip(entry.name, _settings_text(entry), entry.problem, _fixes_text(entry), *shown)
