"""What a run is estimated from before there is one: what its sounds give, and how long its steps take.

The steps are those of a short real run on made-up sounds.  It computes in a process of its own, in a home of its own,
so that it changes neither the random numbers and threads of a training nor the user's caches, and so that its memory
can be told from that of the window.  No torch here: the window shows an estimate before anything is trained.
"""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from distill.audio.cache.sound_cache import CachedSound, SoundCache
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.config.factory import config_from_dict
from distill.config.training import AnyConfig
from distill.errors import SoundError
from distill.events import Event, StepMetrics, VQStepMetrics
from distill.files import temporary_folder
from distill.runs.estimates.estimate import Material
from distill.runs.estimates.measured_costs import FEWEST_STEPS, Figures, RunFigures
from distill.training.data.audible_regions import sound_regions
from distill.training.data.split import split_sounds
from distill.training.stop_request import StopRequest


def material_of(files: Sequence[Path], config: AnyConfig, cancel: threading.Event | None = None) -> Material | None:
    """Return what a run would train on; None where there is too little for a run.

    Raises
    ------
    Cancelled
        ``cancel`` was set while a sound was decoded.
    """
    cache = SoundCache()
    sounds: list[CachedSound] = []
    for path in files:
        with suppress(SoundError):  # the run leaves it out as well
            sounds.append(cache.get(path, cancel))
    if not sounds:
        return None
    chunk = round(config.chunk_duration_s * SAMPLE_RATE)
    try:
        train, held_out = split_sounds(sounds, config.val_fraction, chunk)
    except ValueError:
        return None
    regions = [region for sound in train for region in sound_regions(sound, chunk)]
    return Material(
        sounds=len(sounds),
        train_sounds=len(regions),
        seconds=sum(region.stop - region.start for region in regions) / SAMPLE_RATE,
        train_chunks=sum(region.chunks for region in regions),
        held_out_chunks=sum(region.chunks for sound in held_out for region in sound_regions(sound, chunk)),
    )


log = logging.getLogger(__name__)

#: Steps after which the trial ends, and the seconds of steps after which it ends with fewer.
_STEPS, _STEP_SECONDS = 12, 4.0
#: First steps, which also allocate memory.
_SLOW_STEPS = 2
#: Seconds after which it is given up.
_LONGEST = 120.0
#: Made-up sounds of a trial.
_TRIAL_SOUNDS = 4
_POLL_SECONDS = 0.1


def measure(config: AnyConfig, cancel: threading.Event | None = None) -> RunFigures | None:
    """Return what a step of such a run takes; None if it was cancelled or could not be measured."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    with temporary_folder("trial") as folder:
        process = context.Process(target=_work, args=(config.to_dict(), folder, sender), daemon=True)
        process.start()
        sender.close()
        try:
            return _receive(receiver, cancel)
        finally:
            receiver.close()
            process.kill()
            process.join()
            process.close()


def _receive(receiver: Connection, cancel: threading.Event | None) -> RunFigures | None:
    deadline = time.monotonic() + _LONGEST
    while time.monotonic() < deadline:
        if cancel is not None and cancel.is_set():
            return None
        if receiver.poll(_POLL_SECONDS):
            try:
                return RunFigures.from_dict(receiver.recv())
            except (EOFError, OSError, TypeError) as exc:
                log.info("The speed trial gave no result: %r", exc)
                return None
    return None


def _work(settings: dict[str, Any], folder: str, sender: Connection) -> None:
    """Run the trial in this process, and send its figures."""
    os.environ["DISTILL_HOME"] = folder
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    logging.disable(logging.CRITICAL)  # what it says of noise is of no interest
    trial_figures = run_trial(config_from_dict(settings), Path(folder))
    if trial_figures is not None:
        sender.send(asdict(trial_figures))
    sender.close()


def run_trial(config: AnyConfig, folder: Path) -> RunFigures | None:
    """Train for a few steps on made-up sounds in a folder, to a finished model, and return what that took."""
    from distill.training.loop import train

    regularization = replace(config.regularization, augmentation_expansion=1)
    shortened = replace(config, max_epochs=1000, patience=0, regularization=regularization)
    stop, step_times = StopRequest(), list[float]()

    def watch(event: Event) -> None:
        if isinstance(event, (StepMetrics, VQStepMetrics)):
            step_times.append(event.step_time_s)
            if len(step_times) >= _STEPS or (len(step_times) > FEWEST_STEPS and sum(step_times) > _STEP_SECONDS):
                stop.finish()

    train(shortened, _write_trial_sounds(folder / "sounds", config), folder / "run", config.device, watch, stop)
    known_figures = Figures.load().of(shortened)
    if not known_figures:
        return None
    step_s = median(step_times[_SLOW_STEPS:])  # one step that another program has held up counts for no more
    return replace(known_figures[-1], is_trial=True, step_s=step_s, prepare_s=0.0, good_share=0.0)


def _write_trial_sounds(folder: Path, config: AnyConfig) -> list[Path]:
    """Write the made-up sounds of the trial: noises that fill a batch; their content does not matter."""
    import numpy as np

    from distill.audio.decoding.mono_decoder import SAMPLE_RATE
    from distill.audio.export import write_wav

    folder.mkdir()
    rng = np.random.default_rng(0)
    chunks_per_trial_sound = -(-(config.batch_size + 2) // (_TRIAL_SOUNDS - 1))
    samples = round(chunks_per_trial_sound * config.chunk_duration_s * SAMPLE_RATE)
    files = []
    for number in range(_TRIAL_SOUNDS):
        files.append(folder / f"{number}.wav")
        write_wav(files[-1], rng.uniform(-0.5, 0.5, samples).astype(np.float32))
    return files
