"""What is said of sounds that are few, short, all alike, skipped, or not there at all: the notices about the list."""

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from distill.gui.sounds.sound_row import SoundRow
from distill.gui.widgets.formatting import format_length
from distill.gui.widgets.notices import NoticeBar
from distill.training.data.split import SplitFiles

translate = QCoreApplication.translate

#: Topics of the notices about skipped sounds, about a folder without any, and about a poor training set.
TOPIC, EMPTY_TOPIC, MATERIAL_TOPIC = "sounds", "empty folder", "material"
#: Share of the total duration above which one file is said to be most of the material.
DOMINANT_SHARE = 0.8
#: Held-out sounds that are shorter than this together measure little.
SHORTEST_HELD_OUT_SECONDS = 0.05


class TrainingSetWarnings:
    """Warns of sounds that cannot be trained on, or are unlikely to give a good model."""

    def __init__(self, notices: NoticeBar) -> None:
        self._notices = notices
        self._material_text = self._skipped_text = ""  # an unchanged notice is not shown again over a newer one

    def forget(self) -> None:
        """Take the warnings back: other sounds are read."""
        for topic in (TOPIC, MATERIAL_TOPIC):
            self._notices.forget(topic)
        self._skipped_text = self._material_text = ""

    def forget_empty(self) -> None:
        """Take back that there are no sounds in a folder."""
        self._notices.forget(EMPTY_TOPIC)

    def forget_material(self) -> None:
        """Take the warning of a poor training set back."""
        self._notices.forget(MATERIAL_TOPIC)
        self._material_text = ""

    def report_empty(self) -> None:
        """Say that there are no sounds in what was chosen."""
        self._notices.notify(EMPTY_TOPIC, _empty_text())

    def report_error(self, error: Exception) -> None:
        """Say why the sounds could not be read."""
        text = translate("SoundsPresenter", "The sounds could not be read: {0}")
        self._notices.notify_error(TOPIC, error, text)

    def report_material(self, rows: Sequence[SoundRow], split: SplitFiles) -> None:
        """Warn about sounds that can be decoded but are unlikely to give a good model."""
        text = _problem_of(rows, split)
        if not text:
            self._notices.forget(MATERIAL_TOPIC)
        elif text != self._material_text:
            self._notify_of_list(MATERIAL_TOPIC, text)
        self._material_text = text

    def report_skipped(self, rows: Sequence[SoundRow]) -> None:
        """Say which files are skipped, and why."""
        text = ""
        if len(rows) == 1:
            text = translate("SoundsPresenter", "Skipped: {0}, {1}.").format(rows[0].path.name, rows[0].reason)
        elif rows:
            text = translate("SoundsPresenter", "{0} files are skipped; the list says why. One of them: {1}, {2}.")
            text = text.format(len(rows), rows[0].path.name, rows[0].reason)
        if not text:
            self._notices.forget(TOPIC)
        elif text != self._skipped_text:
            self._notify_of_list(TOPIC, text)
        self._skipped_text = text

    def _notify_of_list(self, topic: str, text: str) -> None:
        """Show a notice about the list, behind that about a folder without sounds: it is the answer to the user."""
        is_empty_shown = self._notices.has(EMPTY_TOPIC)
        self._notices.notify(topic, text, "warning")
        if is_empty_shown:
            self._notices.notify(EMPTY_TOPIC, _empty_text())


def _empty_text() -> str:
    return translate("SoundsPresenter", "There are no sounds in there. Choose a folder with audio files.")


def _problem_of(rows: Sequence[SoundRow], split: SplitFiles) -> str:
    seconds = {row.path: row.entry.duration_s if row.entry is not None else 0.0 for row in rows}
    total, distinct = sum(seconds.values()), len({row.content_hash for row in rows})
    if distinct <= len(rows) // 2:
        if distinct == 1:
            return translate("SoundsPresenter", "All {0} files are copies of one sound. Add more sounds.").format(
                len(rows)
            )
        text = translate(
            "SoundsPresenter", "Of {0} files only {1} are different: the others are copies. Add more sounds."
        )
        return text.format(len(rows), distinct)
    longest = max(rows, key=lambda row: seconds[row.path])
    if len(rows) > 1 and seconds[longest.path] > DOMINANT_SHARE * total:
        share = round(100 * seconds[longest.path] / total)
        text = translate(
            "SoundsPresenter",
            "{0} is {1} % of the material, but counts as one sound of {2}. "
            "To make it count more, cut it into several files.",
        )
        return text.format(longest.name, share, len(rows))
    if split.seconds < SHORTEST_HELD_OUT_SECONDS:
        text = translate(
            "SoundsPresenter", "The held-out sounds last only {0} together, so the loss says little. Add more sounds."
        )
        return text.format(format_length(split.seconds))
    return ""
