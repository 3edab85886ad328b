"""Where a run stands, in words: the epoch, the time left, how it ended, or that it was interrupted and what is lost."""

import math

from PySide6.QtCore import QCoreApplication

from distill.events import UNSAVED
from distill.gui.widgets.formatting import count_of, format_time_left
from distill.gui.widgets.plain_text import readable
from distill.runs.loaded_run import LoadedRun
from distill.runs.run_owner import host_name

translate = QCoreApplication.translate


def state_text(run: LoadedRun) -> str:
    """Return where an opened run stands: ``bells · Paused at epoch 2 of 200``."""
    status, done_epochs, asked_epochs = run.record.status, len(run.history.epochs), run.record.epochs_asked
    name = run.record.model_name or run.folder.name
    if run.host is not None:
        where = (
            translate("TrainingPresenter", "Training in another Distill, epoch {0} of {1}")
            if run.host == host_name()
            else translate("TrainingPresenter", "Training on {host}, epoch {0} of {1}")
        )
        return f"{name} · {where.format(done_epochs, asked_epochs, host=readable(run.host))}"
    texts = {
        "finished": translate("TrainingPresenter", "Finished at epoch {0} of {1}"),
        "failed": translate("TrainingPresenter", "Failed at epoch {0} of {1}"),
        UNSAVED: translate("TrainingPresenter", "Could not be saved at epoch {0} of {1}"),
        "running": translate("TrainingPresenter", "Interrupted at epoch {0} of {1}"),
    }
    text = texts.get(status, translate("TrainingPresenter", "Paused at epoch {0} of {1}"))
    text = text.format(done_epochs, asked_epochs)
    origin = run.record.origin_text
    return f"{name} · {text}" + (" · " + translate("TrainingPresenter", "from {0}").format(origin) if origin else "")


def interruption_text(run: LoadedRun) -> str:
    """Return after a crash what was lost, and from where Resume continues."""
    done_epochs, asked_epochs = len(run.history.epochs), run.record.epochs_asked
    name = run.record.model_name or run.folder.name
    if run.checkpoint_epoch is None:
        text = translate(
            "TrainingPresenter", "“{0}” was interrupted before its first checkpoint. Resume starts it again."
        ).format(name)
    else:
        lost_epochs = max(0, done_epochs - math.ceil(run.kept))
        texts = (
            translate(
                "TrainingPresenter", "“{0}” was interrupted at epoch {1} of {2}. Resume continues after epoch {3}."
            ),
            translate(
                "TrainingPresenter", "“{0}” was interrupted at epoch {1} of {2}. Resume continues within epoch {3}."
            ),
        )
        text = texts[run.kept % 1 > 0].format(name, done_epochs, asked_epochs, math.ceil(run.kept))
        if lost_epochs:
            text += " " + count_of(
                lost_epochs,
                translate("TrainingPresenter", "1 epoch is lost."),
                translate("TrainingPresenter", "{0} epochs are lost."),
            )
    return text


def finished_text() -> str:
    """Return that a run has ended as it should."""
    return translate("TrainingPresenter", "Finished. The model is on the Models page.")


def end_text(outcome: str, done: int, total: int, is_finished_by_user: bool) -> str:
    """Return how a training has ended that was to take ``total`` epochs."""
    texts = {
        "finished": finished_text(),
        "stopped": translate("TrainingPresenter", "Paused at epoch {0} of {1}.").format(done, total),
        "failed": translate("TrainingPresenter", "The training failed: see the notice above."),
        UNSAVED: translate("TrainingPresenter", "The model could not be saved: see the notice above."),
    }
    if done < total and not is_finished_by_user:
        text = translate(
            "TrainingPresenter", "Finished at epoch {0} of {1}: it no longer improved. The model is on the Models page."
        )
        texts["finished"] = text.format(done, total)
    return texts[outcome]


def idle_text(has_sounds: bool) -> str:
    """Return what can be done while nothing runs."""
    if has_sounds:
        return translate("TrainingControls", "Ready when you are.")
    return translate("TrainingControls", "Choose some sounds to begin with.")


def preparing_text() -> str:
    """Return that a training begins."""
    return translate("TrainingControls", "Preparing…")


def stopping_text(is_finishing: bool) -> str:
    """Return that a training ends: it is finished, or paused."""
    if is_finishing:
        return translate("TrainingControls", "Finishing: measuring the last epoch…")
    return translate("TrainingControls", "Pausing: a checkpoint is being written…")


def finishing_text(work: str, left: float | None) -> str:
    """Return what is still to be done after the last epoch, and how many seconds it takes, if that is known."""
    if left is None:
        return translate("TrainingControls", "Finishing: {0}…").format(work)
    return translate("TrainingControls", "Finishing: {0} · {1} left").format(work, _time_left(left))


def position_text(epoch: int, total_epochs: int) -> str:
    """Return which epoch is trained; ``epoch`` counts from 0."""
    return translate("TrainingControls", "Epoch {0} of {1}").format(min(epoch + 1, total_epochs), total_epochs)


def training_text(position: str, seconds: float | None, is_guess: bool, is_first: bool) -> str:
    """Return the position in a run, and how many seconds are left, if that is known."""
    if seconds is None:
        hearing = translate("TrainingControls", "{0} · previews come at its end").format(position)
        return hearing if is_first else position
    about = translate("TrainingControls", "about ") if is_guess else ""
    return translate("TrainingControls", "{0} · {1} left").format(position, about + _time_left(seconds))


def _time_left(seconds: float) -> str:
    """Return a time left for people: while there is work, it is never 0."""
    return format_time_left(seconds) if round(seconds) >= 1 else translate("TrainingControls", "a moment")
