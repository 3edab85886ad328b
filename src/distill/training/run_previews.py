"""Writes the previews of a run while it trains; one that fails is reported, and training goes on."""

import time
from collections.abc import Iterator
from pathlib import Path

from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.computing.interruptible import Interruptible
from distill.config.family_catalog import family_info
from distill.config.preview_epochs import has_previews
from distill.errors import Cancelled
from distill.events import PreparationProgress, PreviewEvent, StartPreviewEvent
from distill.runs.preview_files import BEFORE_FOLDER, SAMPLES
from distill.training.preview import write_reconstructions, write_samples
from distill.training.run import Run
from distill.training.save_progress import report_unwritten


def is_preview_epoch(run: Run, epoch: int) -> bool:
    """Whether previews are made after an epoch that is complete."""
    return has_previews(run.config, epoch, [event.val_loss for event in run.history.epochs])


def make_previews(run: Run, epoch: int) -> None:
    """Write the previews of an epoch until the user stops the run; report one that fails and go on."""
    began = time.perf_counter()
    for path in _write_previews(run, run.folder.previews, epoch, f"a preview of epoch {epoch + 1}"):
        run.emit(PreviewEvent(epoch, str(path), SAMPLE_RATE))
    run.stopwatch.add("previews", time.perf_counter() - began)


def make_start_previews(run: Run) -> None:
    """Write previews of a model that has not been trained yet; does nothing in a run that has them or has begun."""
    folder = run.folder.previews / BEFORE_FOLDER
    if not run.ranks.is_first or run.epoch or run.step or _has_previews(run, folder, 0):
        return
    try:
        folder.mkdir(exist_ok=True)  # of a run that was stopped while they were written
    except OSError as exc:
        report_unwritten(run, "a preview before training", exc)
        return
    run.emit(PreparationProgress("Making the first previews", 0, 1))
    began = time.perf_counter()
    for path in _write_previews(run, folder, 0, "a preview before training"):
        run.emit(StartPreviewEvent(str(path), SAMPLE_RATE))
    run.stopwatch.add("previews", time.perf_counter() - began)


def _write_previews(run: Run, folder: Path, epoch: int, what: str) -> Iterator[Path]:
    """Write previews into a folder and yield the new files, until the user stops the run."""
    if not run.ranks.is_first:
        return
    model, family, waveforms = run.model, run.family, run.training_data.preview_waveforms
    for previews in (
        write_samples(family, model, folder, epoch, SAMPLES, prior=run.prior.averaged),
        write_reconstructions(family, model, waveforms, folder, epoch, run.device),
    ):
        while not run.request.pause_event.is_set():
            path = _next_preview(run, what, previews)
            if path is None:
                break
            yield path


def _next_preview(run: Run, what: str, previews: Iterator[Path]) -> Path | None:
    try:
        with Interruptible(run.request.check_paused):
            return next(previews, None)
    except Cancelled:
        return None
    except Exception as exc:  # whatever is wrong with a preview, training goes on
        report_unwritten(run, what, exc)
        return None


def complete_previews(run: Run) -> None:
    """Write the previews of the last complete epoch if the run was stopped or killed before all of them were there."""
    epoch = run.epoch - 1
    if run.step or epoch < 0 or not is_preview_epoch(run, epoch):
        return
    if not _has_previews(run, run.folder.previews, epoch):
        make_previews(run, epoch)


def preview_last_epoch(run: Run) -> None:
    """Make the previews of the epoch that was completed last, unless there are some."""
    if not any(run.folder.previews.glob(f"*_epoch{run.epoch - 1:04d}_*.wav")):
        make_previews(run, run.epoch - 1)


def _has_previews(run: Run, folder: Path, epoch: int) -> bool:
    """Whether all previews of an epoch are in a folder."""
    expected = 2 * len(run.training_data.preview_waveforms)
    expected += SAMPLES if family_info(run.config.family).makes_new_sounds else 0
    return len(list(folder.glob(f"*_epoch{epoch:04d}_*.wav"))) >= expected
