"""Texts of the grid of previews: headings of columns and rows, names and tips of sounds, file names of their copies."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt

from distill.gui.previews.reconstruction_sources import PreviewSources
from distill.gui.widgets.formatting import format_change
from distill.gui.widgets.plain_text import plain_tip, readable
from distill.runs.preview_files import BEFORE_TRAINING, PreviewSound, Slot

translate = QCoreApplication.translate


def preview_name(sound: PreviewSound) -> str:
    """Return what a preview is called: its number and its epoch."""
    name = (
        translate("PreviewModel", "Sound {0}") if sound.slot.is_pair else translate("PreviewModel", "New sound {0}")
    ).format(sound.number + 1)
    return f"{name}, {epoch_text(sound.epoch)}"


def preview_tip(sources: PreviewSources, sound: PreviewSound) -> str:
    """Return what is said of a preview under the pointer: what it is a copy of, and whether that is trained on."""
    number = translate("PreviewModel", "sound {0}").format(sound.number + 1)
    if not sound.slot.is_pair:
        number = str(sound.number + 1)
        text = translate("PreviewModel", "New sound {0}, {1}. Every epoch starts from the same random point.")
    elif sources.is_trained(sound.slot):
        text = translate("PreviewModel", "The model's copy of {0}, which it is trained on, {1}.")
    else:
        text = translate("PreviewModel", "The model's copy of {0}, which is held out of training, {1}.")
    name = sources.name_of(sound) or number
    return plain_tip(text.format(name, epoch_text(sound.epoch)), sound.path.name)


def copy_name(sources: PreviewSources, sound: PreviewSound) -> str:
    """Return what the file of a saved copy is called: the run, the sound, or what it is a copy of, and the epoch."""
    kind = (
        translate("PreviewsPresenter", "sound {0}") if sound.slot.is_pair else translate("PreviewsPresenter", "new {0}")
    )
    source = sources.name_of(sound)
    sound_text = kind.format(sound.number + 1) if source is None else Path(source).stem
    return f"{sound.folder.parent.name} {sound_text} {epoch_text(sound.epoch)}"


def epoch_text(epoch: int) -> str:
    """Return the text for an epoch that follows the name of a sound."""
    if epoch == BEFORE_TRAINING:
        return translate("Previews", "before training")
    return translate("Previews", "epoch {0}").format(epoch + 1)


def epoch_heading(epoch: int, change: float | None, role: int) -> Any:
    """Return the heading of a row, for a role: the epoch, and how much the loss has changed since the row above."""
    percent = "" if change is None else format_change(change)
    if role == Qt.ItemDataRole.DisplayRole:
        heading = translate("PreviewModel", "Start") if epoch == BEFORE_TRAINING else str(epoch + 1)
        return f"{heading}\n{percent}" if percent else heading
    if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
        text = epoch_text(epoch)
        text = text[:1].upper() + text[1:]
        if not percent:
            return text
        return translate("PreviewModel", "{0}: the loss on held-out sounds is {1} of that of the row above.").format(
            text, f"{100 * (1 + (change or 0)):.0f} %"
        )
    if role == Qt.ItemDataRole.TextAlignmentRole:
        return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return None


def column_heading(sources: PreviewSources, slot: Slot, role: int) -> Any:
    """Return the heading of a column, for a role: the name of a sound, and in a second line what the model knows of it.

    A number stands for a name that is not known.
    """
    source, is_trained = sources.name_at(slot), sources.is_trained(slot)
    if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
        if source is None:
            return (
                translate("PreviewModel", "Sound {0}") if slot.is_pair else translate("PreviewModel", "New {0}")
            ).format(slot.number + 1)
        state = translate("PreviewModel", "trained") if is_trained else translate("PreviewModel", "held out")
        is_shown = role == Qt.ItemDataRole.DisplayRole
        return f"{readable(Path(source).stem)}\n{state}" if is_shown else f"{source}, {state}"
    if role == Qt.ItemDataRole.ToolTipRole:
        if slot.is_pair:
            if is_trained:
                text = translate("PreviewModel", "The model is trained on this sound. Below: its copy at each epoch.")
            else:
                text = translate(
                    "PreviewModel",
                    "The model never hears this sound in training. Below: its copy at each epoch, "
                    "which shows how well it does with sounds that it does not know.",
                )
            return plain_tip(source or "", text)
        return translate(
            "PreviewModel",
            "A new sound. Every epoch starts from the same random point, so that you hear the model improve.",
        )
    return None


def fitted_heading(heading: str, is_narrow: bool, shorten: Callable[[str], str]) -> str:
    """Return the heading of a column as it fits: the name of a sound shortened, or one without a name in two lines."""
    name, _, state = heading.partition("\n")
    if state:
        return f"{shorten(name)}\n{state}"
    return "\n".join(name.rsplit(" ", 1)) if is_narrow else name


def unbreakable_parts(heading: str) -> list[str]:
    """Return the parts of a column's heading that need their whole width: names of sounds are shortened."""
    _name, _, state = heading.partition("\n")
    return [state] if state else heading.rsplit(" ", 1)
