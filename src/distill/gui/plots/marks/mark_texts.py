"""What marks over the curves say, and the legend of them: best epoch, checkpoints, previews, interruptions."""

from PySide6.QtCore import QCoreApplication

from distill.gui.plots.curve_style import CurveStyle
from distill.runs.run_record import Interruption

translate = QCoreApplication.translate


def mark_styles() -> tuple[CurveStyle, ...]:
    """Return how the legend shows the marks."""
    return (
        CurveStyle(
            "best",
            translate("Plot", "best"),
            "good",
            0,
            translate("Plot", "Lowest held-out loss: the model is saved from this epoch."),
            "o",
            usual_value="0000",
        ),
        CurveStyle(
            "checkpoints",
            translate("Plot", "checkpoints"),
            "muted",
            0,
            translate("Plot", "Saved states from which a run can be resumed."),
            "d",
            has_value=False,
        ),
        CurveStyle(
            "previews",
            translate("Plot", "previews"),
            "accent",
            0,
            translate("Plot", "Click a mark on the axis to hear that epoch."),
            "t2",
            has_value=False,
        ),
    )


def interruption_text(interruption: Interruption) -> str:
    """Return what happened at a place at which a run was killed."""
    kept, reached = _epoch(interruption.kept), _epoch(interruption.reached)
    if interruption.is_resumed:
        text = translate("Plot", "Interrupted at epoch {0}, resumed from epoch {1}.")
    elif not interruption.kept:
        text = translate("Plot", "Interrupted at epoch {0}. Nothing was saved.")
    elif kept == reached:
        text = translate("Plot", "Interrupted at epoch {0}. Nothing is lost.")
    else:
        text = translate("Plot", "Interrupted at epoch {0}. What came after epoch {1} is lost.")
    return text.format(reached, kept)


def interruption_label(interruption: Interruption) -> str:
    """Return the words beside the mark of an interruption."""
    if interruption.is_resumed:
        return translate("Plot", "Resumed here")
    if _epoch(interruption.kept) == _epoch(interruption.reached):
        return translate("Plot", "Interrupted")
    return translate("Plot", "Interrupted\nSaved to epoch {0}").format(_epoch(interruption.kept))


def preview_text(epoch: int, file_name: str) -> str:
    """Return the tooltip of the mark of a preview; ``epoch`` counts from 1, 0 is before training."""
    if epoch == 0:
        return translate("Plot", "Before training: click to hear it")
    return translate("Plot", "Epoch {0}: click to hear it ({1})").format(epoch, file_name)


def checkpoint_text(epoch: int) -> str:
    """Return the tooltip of the mark of a checkpoint; ``epoch`` counts from 0."""
    text = translate(
        "PlotsPanel", "Epoch {0}: checkpoint, from which the run can be resumed (checkpoint_epoch{1:04d}.pt)"
    )
    return text.format(epoch + 1, epoch)


def _epoch(position: float) -> str:
    return f"{position:.1f}".removesuffix(".0")
