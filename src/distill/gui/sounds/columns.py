"""The columns of the list of sounds: headings, tips, on which side their texts stand, sort order."""

from enum import IntEnum
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt

from distill.gui.sounds.sound_row import SoundRow, SoundStatus

translate = QCoreApplication.translate


class Column(IntEnum):
    """Columns of the model; the view has an order of its own."""

    NAME = 0
    DURATION = 1
    RATE = 2
    CHANNELS = 3
    STATUS = 4
    LEVEL = 5
    WAVEFORM = 6


def headings() -> tuple[str, ...]:
    """Return what stands over the columns, by their numbers."""
    return (
        translate("SoundModel", "Name"),
        translate("SoundModel", "Length"),
        translate("SoundModel", "kHz"),
        translate("SoundModel", "Ch."),
        translate("SoundModel", "Status"),
        translate("SoundModel", "Peak"),
        translate("SoundModel", "Waveform"),
    )


def heading_tips() -> tuple[str, ...]:
    """Return what the columns hold, by their numbers."""
    return (
        translate("SoundModel", "Name of the file. A ticked sound is trained on; clear the box to exclude it."),
        translate("SoundModel", "How long the sound is."),
        translate("SoundModel", "Sample rate in kHz. Whatever it is, the sound is trained on at 48 kHz."),
        translate("SoundModel", "Channels. Whatever their number, the sound is trained on in mono."),
        translate("SoundModel", "Held out, excluded or skipped, and why. Empty for a sound that is trained on."),
        translate(
            "SoundModel",
            "Level of the loudest sample, in dB of full scale (0 is the loudest that fits). Every sound is brought "
            "to full scale before training, so a quiet one is learned from as well as a loud one.",
        ),
        translate("SoundModel", "Shape of the sound, drawn as high as the row whatever its level."),
    )


def alignment(column: int) -> int:
    """Return on which side of its column a text stands."""
    left = column in (Column.NAME, Column.STATUS, Column.WAVEFORM)
    side = Qt.AlignmentFlag.AlignLeft if left else Qt.AlignmentFlag.AlignRight
    return int(side | Qt.AlignmentFlag.AlignVCenter)


def sort_key(row: SoundRow, column: int) -> Any:
    """Return what a row is sorted by in a column."""
    entry = row.entry
    if column in (Column.NAME, Column.WAVEFORM):
        return row.name.casefold()
    if column == Column.STATUS:
        order = 3 if row.status is SoundStatus.SKIPPED else 2 if row.is_excluded else 1 if row.is_held_out else 0
        return f"{order} {int(row.status)} {row.reason}"
    if column == Column.LEVEL:
        return row.peak_dbfs if row.peak_dbfs is not None else -1000.0
    if entry is None:
        return -1.0
    return float((entry.duration_s, entry.sample_rate, entry.channels)[column - Column.DURATION])
