"""What the cells of the list of sounds say, and in which colours: status, length, level, and why a sound is skipped."""

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QColor

from distill.gui.sounds.columns import Column
from distill.gui.sounds.sound_row import SoundRow, SoundStatus
from distill.gui.widgets import theme
from distill.gui.widgets.formatting import format_length, format_level
from distill.gui.widgets.plain_text import plain_tip

translate = QCoreApplication.translate


def cell_text(row: SoundRow, column: int) -> str:
    """Return what a cell says."""
    entry = row.entry
    if column == Column.NAME:
        return row.name
    if column == Column.STATUS:
        return status_text(row)
    if column == Column.LEVEL:
        return format_level(row.peak_dbfs) if row.peak_dbfs is not None else ""
    if entry is None or column == Column.WAVEFORM:
        return ""
    if column == Column.DURATION:
        return format_length(entry.duration_s)
    return f"{entry.sample_rate / 1000:g}" if column == Column.RATE else str(entry.channels)


def status_text(row: SoundRow) -> str:
    """Return whether a sound is trained on, in a word or two."""
    if row.status is SoundStatus.SKIPPED:
        return translate("SoundModel", "Skipped: {0}").format(short_reason(row.reason))
    if row.is_excluded:
        return translate("SoundModel", "Excluded")
    if row.is_held_out:
        return translate("SoundModel", "Partly held out") if row.is_divided else translate("SoundModel", "Held out")
    return translate("SoundModel", "Ready") if row.status is SoundStatus.READY else translate("SoundModel", "Listed")


def cell_tip(row: SoundRow, column: int) -> str:
    """Return what a cell says under the pointer."""
    if column == Column.LEVEL and row.peak_dbfs is not None and row.rms_dbfs is not None:
        return translate("SoundModel", "Loudest sample {0} dBFS, mean level {1} dBFS.").format(
            format_level(row.peak_dbfs), format_level(row.rms_dbfs)
        )
    first = (_explanation(row),) if column == Column.STATUS else (str(row.path), row.reason)
    return plain_tip(*first, *map(sentence, row.notes))


def _explanation(row: SoundRow) -> str:
    if row.status is SoundStatus.SKIPPED:
        return translate("SoundModel", "Skipped: {0}. Repair or replace the file, and open the folder again.").format(
            row.reason
        )
    if row.is_excluded:
        return translate("SoundModel", "Excluded by you. Tick its box, or press Insert, to train on it again.")
    if row.is_divided:
        return translate(
            "SoundModel",
            "Partly held out: the next training learns from the beginning of this long sound and measures with "
            "its end. A chunk between the two is used for neither.",
        )
    if row.is_held_out:
        return translate(
            "SoundModel",
            "Held out: the next training does not learn from this sound. It uses the sound to measure whether the "
            "model has learned what your sounds have in common, or is only memorising them. The choice depends on "
            "the content of all sounds; adding or excluding sounds may change it.",
        )
    if row.status is SoundStatus.READY:
        return translate("SoundModel", "Ready to train on.")
    return translate("SoundModel", "Found; not yet decoded.")


def short_reason(reason: str) -> str:
    """Return why a file is skipped, as a phrase behind a colon: ``is silent`` becomes ``silent``."""
    return reason.removeprefix("is ")


def sentence(phrase: str) -> str:
    """Return a phrase of the decoder as a sentence."""
    return f"{phrase[:1].upper()}{phrase[1:]}."


def cell_color(row: SoundRow, column: int) -> QColor | None:
    """Return the colour of a cell's text; None for that of the theme."""
    current = theme.colors()
    if row.is_excluded and row.status is not SoundStatus.SKIPPED:
        return QColor(current.disabled)
    if row.status is SoundStatus.SKIPPED:
        return QColor(current.muted)
    if column == Column.STATUS:
        if row.is_held_out:
            return QColor(current.second)
        return QColor(current.good if row.status is SoundStatus.READY else current.muted)
    return None if column == Column.NAME else QColor(current.muted)
