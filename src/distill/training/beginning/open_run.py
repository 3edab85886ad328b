"""Claims the folder of a run, reads the checkpoint that it resumes, and makes its record."""

import os
from dataclasses import replace
from pathlib import Path

import torch

from distill import paths
from distill.computing.devices import pick_device
from distill.config.factory import SHAPE, config_from_model
from distill.errors import CheckpointError, ConfigurationError, RunFolderError
from distill.models.families import make_family
from distill.paths import RUN_MARKER
from distill.runs.folder import FollowedFolder, RunFolder
from distill.runs.run_record import RunRecord
from distill.serialization.checkpoint_reader import read_checkpoint
from distill.serialization.weight_checks import check_network
from distill.training.beginning.resumed_state import began_without_checkpoint, check_resumable
from distill.training.run import EventSink, OpenedRun, RunRequest
from distill.training.start_point import StartPoint, read_start


def open_run(request: RunRequest, emit: EventSink) -> OpenedRun:
    """Claim the run's folder and read the checkpoint that is resumed.

    Of several processes the first one claims it, and the others read what they need.

    Raises
    ------
    DistillError
        The folder cannot be used, or the checkpoint cannot be resumed.
    """
    claimed: list[OpenedRun] = []
    request.ranks.on_first(lambda: claimed.append(_claim(request, emit)))
    return claimed[0] if claimed else _follow(request, emit)


def _follow(request: RunRequest, emit: EventSink) -> OpenedRun:
    """Return a run whose folder the first process has claimed; nothing is written to it from here."""
    checkpoint = None if request.resume_checkpoint is None else read_checkpoint(request.resume_checkpoint)
    record = replace(RunRecord.load(request.output_dir), file_paths=[path.absolute() for path in request.file_paths])
    folder = FollowedFolder(request.output_dir)
    device = _device_of(request)
    start = None
    if checkpoint is None and record.origin is not None:
        start = read_start(Path(str(record.origin["path"])))
    return OpenedRun(
        request=request, config=request.config, family=make_family(request.config), device=device, folder=folder,
        record=record, emit=emit, checkpoint=checkpoint, start=start,
    )  # fmt: skip


def _device_of(request: RunRequest) -> torch.device:
    name = request.device if request.device != "auto" else request.config.device
    return request.ranks.device(pick_device(request.ranks.device_name(name)))


def _claim(request: RunRequest, emit: EventSink) -> OpenedRun:
    if request.config.batch_size < request.ranks.size:
        raise ConfigurationError(
            f"A batch of {request.config.batch_size} chunks cannot be shared by {request.ranks.size} processes. Start "
            "fewer processes, or set a larger batch."
        )
    _refuse_among_sounds(request)
    checkpoint = None
    if request.resume_checkpoint is not None:
        checkpoint = read_checkpoint(request.resume_checkpoint)
        check_resumable(request, request.resume_checkpoint, checkpoint)
        resuming = request.resumes_own
    else:
        resuming = began_without_checkpoint(request.output_dir, request.config)
    start = _start_point(request, resuming)
    device = _device_of(request)
    family = make_family(request.config)
    if checkpoint is not None and request.resume_checkpoint is not None:
        check_network(family.build, checkpoint["model_state_dict"], request.resume_checkpoint, CheckpointError)
    folder = RunFolder(request.output_dir, resuming)
    try:
        record = _record(request, resuming)
        if start is not None and record.origin is None:
            record.origin = {**start.origin, "split": None if start.split is None else start.split.to_dict()}
        if checkpoint is None:
            record.save(folder.path)
    except RunFolderError:
        folder.close()
        raise
    except OSError as exc:
        folder.close()
        raise RunFolderError(f"The folder {folder.path} cannot be written to ({exc.strerror or exc}).") from exc
    return OpenedRun(
        request=request, config=request.config, family=family, device=device, folder=folder, record=record, emit=emit,
        checkpoint=checkpoint, start=start,
    )  # fmt: skip


def _start_point(request: RunRequest, resuming: bool) -> StartPoint | None:
    """Return what a run starts from; one that was ended before its first checkpoint starts from the same again.

    Raises
    ------
    DistillError
        The model cannot be used, or the settings are not its own.
    """
    path = request.start_from
    if resuming and request.resume_checkpoint is None:
        origin = RunRecord.load(request.output_dir).origin
        path = Path(str(origin["path"])) if origin and "path" in origin else path
    if path is None or request.resume_checkpoint is not None:
        return None
    start = read_start(path)
    config_from_model(request.config, start.config, SHAPE)  # refuses another shape
    return start


def _refuse_among_sounds(request: RunRequest) -> None:
    """Refuse a run's folder inside a folder of sounds: its previews would be sounds of the next run.

    The folder of all runs is never searched for sounds, and may lie inside: sounds may be in the home folder itself.
    """
    if (request.output_dir / RUN_MARKER).exists():
        return  # a run that is already there
    target = Path(os.path.realpath(request.output_dir))  # `Path.resolve` fails at a link that leads to itself
    if target.is_relative_to(os.path.realpath(paths.runs_dir())):
        return
    for folder in {Path(os.path.realpath(path)).parent for path in request.file_paths}:
        if target.is_relative_to(folder):
            raise RunFolderError(
                f"The run's folder {request.output_dir} would lie inside the folder of sounds {folder}. "
                "Choose a folder outside it."
            )


def _record(request: RunRequest, resuming: bool) -> RunRecord:
    sounds = [path.absolute() for path in request.file_paths]
    if resuming and (request.output_dir / RUN_MARKER).exists():
        # The sounds may have moved, and a run that starts again may have been given others, and other fixes.
        record = RunRecord.load(request.output_dir)
        wanted = dict(request.fixes) or record.wanted_fixes
        is_as_long = request.config.max_epochs == record.config.max_epochs  # otherwise its settings say it from now on
        planned = record.planned_epochs if is_as_long else None
        return replace(record, file_paths=sounds, planned_epochs=planned, wanted_fixes=wanted)
    return RunRecord(
        config=request.config,
        file_paths=sounds,
        dataset_name=request.dataset_name,
        model_name=request.model_name,
        wanted_fixes=dict(request.fixes),
    )


def save_record(opened: OpenedRun) -> None:
    """Write the record of a run to its folder.

    Raises
    ------
    RunFolderError
        It cannot be written.
    """
    try:
        opened.record.save(opened.folder.path)
    except OSError as exc:
        raise unwritable(opened, exc) from exc


def unwritable(opened: OpenedRun, error: OSError) -> RunFolderError:
    """Return the error for a run's folder that cannot be written to."""
    return RunFolderError(f"The folder {opened.folder.path} cannot be written to ({error.strerror or error}).")
