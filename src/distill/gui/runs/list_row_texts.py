"""What the list says of a run: its status, its progress, when and on what it was trained, and what Resume does."""

from PySide6.QtCore import QCoreApplication

from distill.config.family_catalog import FAMILIES
from distill.events import UNSAVED
from distill.gui.widgets.formatting import count_of, format_date
from distill.gui.widgets.plain_text import readable, rich_tip
from distill.runs.summary import RunSummary

translate = QCoreApplication.translate


def status_text(run: RunSummary) -> str:
    """Return a run's status in a word."""
    if run.host:
        return translate("RunModel", "training on {0}").format(readable(run.host))
    return {
        "finished": translate("RunModel", "finished"),
        "paused": translate("RunModel", "paused"),
        "interrupted": translate("RunModel", "interrupted"),
        "failed": translate("RunModel", "failed"),
        UNSAVED: translate("RunModel", "could not be saved"),
        "running": translate("RunModel", "training"),
    }.get(run.status, translate("RunModel", "unreadable"))


def facts_text(run: RunSummary) -> str:
    """Return when it was started, on how many sounds, and its family."""
    sounds = count_of(run.sounds, translate("RunModel", "1 sound"), translate("RunModel", "{0} sounds"))
    family = next((row.plain_name for row in FAMILIES if row.label == run.family), run.family)
    facts = [format_date(run.created), sounds, family] if family else [run.folder.name]
    return " · ".join(part for part in facts if part)


def progress_text(run: RunSummary) -> str:
    """Return how many epochs were trained, and which of them is the best: the one that the model is from."""
    if run.status == "unreadable":
        return run.problem
    epochs_text = translate("RunModel", "{0} of {1} epochs trained").format(run.progress.epochs, run.epochs_asked)
    best_loss, best_epoch = run.progress.best_loss, run.progress.best_epoch
    if best_loss is None or best_epoch is None:
        return epochs_text
    return translate("RunModel", "{0} · best epoch {1}, loss {2:.4g}").format(epochs_text, best_epoch, best_loss)


def spoken_text(run: RunSummary, is_shown: bool) -> str:
    """Return what a screen reader says of a run; ``is_shown`` where the window shows it."""
    shown = [translate("RunModel", "shown")] if is_shown else []
    return ", ".join([run.name, status_text(run), *shown, facts_text(run), progress_text(run)])


def run_tip(run: RunSummary) -> str:
    """Return what a run is called, how it ended, and what can be done with it."""
    status_meaning = {
        "finished": translate("RunModel", "Finished. Set more epochs to continue it."),
        "paused": translate("RunModel", "Paused, with a checkpoint. Resume continues from there."),
        "interrupted": translate(
            "RunModel", "Distill was closed while it trained. Resume continues from the last checkpoint."
        ),
        "failed": translate("RunModel", "It ended with an error: {0}").format(run.problem),
        UNSAVED: run.problem,
        "running": translate("RunModel", "It is training now, in this window or in another Distill.")
        if not run.host
        else translate(
            "RunModel",
            "It is training on {0}. You can watch it here, and resume it two minutes after that computer has "
            "stopped or has lost its connection.",
        ).format(readable(run.host)),
    }.get(run.status, run.problem)
    curve_text = translate("RunModel", "The curve is the loss on held-out sounds. The model is from its lowest point.")
    return rich_tip(run.name, status_meaning, curve_text, run.folder.name)
