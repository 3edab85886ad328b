"""The newest checkpoint of a run that can be read: where a run that is resumed goes on."""

from pathlib import Path

from distill.errors import CheckpointError
from distill.events import TrainingNotice
from distill.files import is_access_error
from distill.runs.checkpoint_folder import list_checkpoints
from distill.runs.record_changes import refuse_lost_checkpoints
from distill.serialization.checkpoint_reader import read_checkpoint


def newest_whole(folder: Path) -> tuple[Path | None, list[TrainingNotice]]:
    """Return the newest checkpoint that can be read, and what to say of newer ones that cannot.

    Raises
    ------
    CheckpointError
        There are checkpoints, and none can be read; one is out of reach; or they are gone.
    """
    paths = sorted(folder.glob("checkpoint_epoch*.pt"))
    listed = [Path(f["path"]) for f in list_checkpoints(folder)]
    notices = [
        TrainingNotice("checkpoint", f"{path.name} is damaged and is skipped.") for path in paths if path not in listed
    ]
    for path in reversed(listed):
        try:
            read_checkpoint(path)
            return path, notices
        except CheckpointError as exc:
            _refuse_out_of_reach(exc)
            notices.append(TrainingNotice("checkpoint", f"{exc} An older one is used."))
    if paths:
        raise CheckpointError(
            f"None of the {len(paths)} checkpoints in {folder} can be read. Start a new run; the sounds are untouched."
        )
    refuse_lost_checkpoints(folder.parent)
    notices.append(TrainingNotice("resumed", "The run was ended before its first checkpoint; it starts again.", "info"))
    return None, notices


def _refuse_out_of_reach(error: CheckpointError) -> None:
    """Refuse to go on from an older checkpoint where nothing is wrong with one but that it cannot be read now.

    What is trained from the older one would replace it.

    Raises
    ------
    CheckpointError
        ``error`` comes from an error of access, as of a drive that is gone or a file that another program holds.
    """
    if is_access_error(error.__cause__):
        raise CheckpointError(
            f"{error} Nothing was changed. Try again when it can be read, or take it out of the folder to go on from "
            "an older one."
        ) from error
