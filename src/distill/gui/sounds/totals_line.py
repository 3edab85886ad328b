"""The line over the list of sounds: how many are for training, held out, stereo, excluded, skipped and shown."""

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QLabel

from distill.gui.sounds.sound_row import SoundRow, SoundStatus
from distill.gui.widgets.formatting import format_length


class TotalsLine(QLabel):
    """Says in one line what becomes of the listed sounds."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("muted")
        self.setAccessibleIdentifier("soundSummary")
        self.setWordWrap(True)
        self.hide()
        self._check_progress = ""

    def files_and_length(self, rows: Sequence[SoundRow]) -> str:
        """Return the number and the length of the sounds to train on; nothing where none are listed."""
        usable = [row for row in rows if row.is_usable]
        count = self.tr("1 file") if len(usable) == 1 else self.tr("{0} files").format(len(usable))
        seconds = sum(row.entry.duration_s for row in usable if row.entry is not None)
        return f"{count} · {format_length(seconds)}" if rows else ""

    def note_check(self, done: int, total: int) -> None:
        """Take how many of the sounds have been decoded; the next `show_totals` says so until it is all of them."""
        text = QCoreApplication.translate("SoundsPanel", "checking {0} of {1}")
        self._check_progress = text.format(done, total) if done < total else ""

    def show_totals(self, rows: Sequence[SoundRow], shown: int, is_for_next_run: bool) -> None:
        """Count the sounds.

        Parameters
        ----------
        rows
            All that are listed.
        shown
            How many of them the filter shows.
        is_for_next_run
            Whether the choice has changed since the training under way began.
        """
        usable = [row for row in rows if row.is_usable]
        parts = self._split_parts(usable)
        stereo = sum(row.is_stereo for row in usable)
        if stereo:
            parts.append(self.tr("{0} of {1} stereo").format(stereo, len(usable)))
        skipped = sum(row.status is SoundStatus.SKIPPED for row in rows)
        later = self.tr(" (next run)") if is_for_next_run else ""
        excluded = len(rows) - len(usable) - skipped
        if excluded or later:
            parts.append(self.tr("{0} excluded").format(excluded) + later)
        if skipped:
            parts.append(self.tr("{0} skipped").format(skipped))
        if shown < len(rows):
            parts.append(self.tr("{0} of {1} shown").format(shown, len(rows)))
        if self._check_progress:
            parts.append(self._check_progress)
        self.setText(" · ".join(parts))
        self.setVisible(bool(rows))  # also while it is empty: the list below must not move

    def _split_parts(self, usable: Sequence[SoundRow]) -> list[str]:
        held_out = sum(row.is_held_out is True for row in usable)
        if not held_out:
            self.setToolTip("")
            return []
        self.setToolTip(
            self.tr(
                "A run trains on the first and measures with the held-out ones, which it never trains on. "
                "The status column shows which they are; sort by it to see them together."
            )
        )
        trained = len(usable) - sum(row.is_held_out is True and not row.is_divided for row in usable)
        return [self.tr("{0} training, {1} held out").format(trained, held_out)]
