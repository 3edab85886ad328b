"""What the user is told to do where the files of a run that ends could not be written: make room, resume from where."""

from distill.runs.checkpoint_folder import list_checkpoints
from distill.training.run import Run


def unsaved_text(run: Run, reason: str, is_checkpoint_missing: bool) -> str:
    """Return the sentences about a run whose model could not be saved."""
    text = f"{reason} Make room on the disk of {run.folder.path}, or make it writable"
    if not is_checkpoint_missing:
        return f"{text}, then resume the run: it saves the model."
    return f"{text}. {_where_it_stays(run)}"


def unwritten_text(run: Run, reason: str) -> str:
    """Return the sentences about a run whose last checkpoint could not be written."""
    return f"The last checkpoint could not be written ({reason}). {_where_it_stays(run)}"


def _where_it_stays(run: Run) -> str:
    """Return where a run is resumed whose last checkpoint could not be written."""
    listed = list_checkpoints(run.folder.checkpoints)
    if not listed:
        return "There is no checkpoint, so the run can only begin again."
    return f"The run can only be resumed from epoch {listed[-1]['epoch'] + 1}."  # counted from 1 for people
