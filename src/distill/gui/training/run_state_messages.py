"""Where a run stands, in words: paused, finished, failed, or interrupted, and what was lost by that."""

import math

from PySide6.QtCore import QCoreApplication

from distill.events import UNSAVED
from distill.gui.widgets.formatting import count_of
from distill.gui.widgets.plain_text import readable
from distill.runs.loaded_run import LoadedRun
from distill.runs.run_owner import host_name

translate = QCoreApplication.translate


def state_text(run: LoadedRun) -> str:
    """Return where an opened run stands: ``bells · Paused at epoch 2 of 200``."""
    status, done, asked = run.record.status, len(run.history.epochs), run.record.epochs_asked
    name = run.record.model_name or run.folder.name
    if run.host is not None:
        where = (
            translate("TrainingPresenter", "Training in another Distill, epoch {0} of {1}")
            if run.host == host_name()
            else translate("TrainingPresenter", "Training on {host}, epoch {0} of {1}")
        )
        return f"{name} · {where.format(done, asked, host=readable(run.host))}"
    texts = {
        "finished": translate("TrainingPresenter", "Finished at epoch {0} of {1}"),
        "failed": translate("TrainingPresenter", "Failed at epoch {0} of {1}"),
        UNSAVED: translate("TrainingPresenter", "Could not be saved at epoch {0} of {1}"),
        "running": translate("TrainingPresenter", "Interrupted at epoch {0} of {1}"),
    }
    text = texts.get(status, translate("TrainingPresenter", "Paused at epoch {0} of {1}")).format(done, asked)
    origin = run.record.origin_text
    return f"{name} · {text}" + (" · " + translate("TrainingPresenter", "from {0}").format(origin) if origin else "")


def interruption_text(run: LoadedRun) -> str:
    """Return after a crash what was lost, and from where Resume continues."""
    done, asked = len(run.history.epochs), run.record.epochs_asked
    name = run.record.model_name or run.folder.name
    if run.checkpoint_epoch is None:
        text = translate(
            "TrainingPresenter", "“{0}” was interrupted before its first checkpoint. Resume starts it again."
        ).format(name)
    else:
        again = max(0, done - math.ceil(run.kept))
        texts = (
            translate(
                "TrainingPresenter", "“{0}” was interrupted at epoch {1} of {2}. Resume continues after epoch {3}."
            ),
            translate(
                "TrainingPresenter", "“{0}” was interrupted at epoch {1} of {2}. Resume continues within epoch {3}."
            ),
        )
        text = texts[run.kept % 1 > 0].format(name, done, asked, math.ceil(run.kept))
        if again:
            text += " " + count_of(
                again,
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
