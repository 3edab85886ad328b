"""``distill --selftest``: does this installation do what it is for?

A frozen application can start and still lack a library, a plug-in or a module that is imported late.  So this goes the
whole way with sounds of its own: it decodes each format, trains each family for a moment, opens the model, sends a
sound through it, and plays one.  `packaging/smoke_test.py` runs it in each bundle; a user can, too, before a report.

Nothing is read from or written to the user's folders.  No torch, numpy or sound library is imported before `run`.
"""

import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from distill import __version__, paths
from distill.files import temporary_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from distill.config.family_catalog import FamilyInfo

#: Formats and codings that musicians have.  The others that libsndfile offers are tried as well, and what it cannot
#: write, or only in another shape, is passed over.
REQUIRED = (
    ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("AIFF", "PCM_24"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"),
    ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("CAF", "PCM_24"), ("CAF", "ALAC_16"), ("AU", "PCM_16"),
)  # fmt: skip

#: Longest that a sound of a quarter of a second may take to be heard, with a sound service that has to be started.
PLAYING_SECONDS = 30.0

#: Bare audio has no header, and a .mat file can be anything: neither is searched for.
_NO_SOUND_FILES = {"RAW", "MAT4", "MAT5"}


class Skipped(Exception):  # noqa: N818 - not an error: this machine has no such thing
    """The check does not apply here; the message says why."""


def run() -> int:
    """Run every check, say what came of each on a line, and return the exit code: 0 where none failed.

    A line begins with ``ok``, ``skipped`` or ``FAILED``.
    """
    print(f"distill {__version__}, Python {platform.python_version()}, {platform.platform()}", flush=True)
    failed = 0
    with temporary_folder("selftest") as name, _home(Path(name) / "home"):
        for title, check in _checks(Path(name)):
            began = time.monotonic()
            try:
                answer = f"ok       {title}: {check()}"
            except Skipped as reason:
                answer = f"skipped  {title}: {reason}"
            except Exception as error:  # the border: whatever it is, the other checks still tell something
                failed += 1
                traceback.print_exc()
                answer = f"FAILED   {title}: {error!r}"
            print(f"{answer} ({time.monotonic() - began:.1f} s)", flush=True)
    print(f"{failed} checks failed." if failed else "Everything works.", flush=True)
    return 1 if failed else 0


def _checks(folder: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    from distill.config.family_catalog import FAMILIES

    yield "resources", _resources
    yield "formats", lambda: _formats(folder / "formats")
    yield "demo sounds", lambda: _demo_sounds(folder / "sounds")
    for family in FAMILIES:
        yield f"family {family.key}", lambda row=family: _family(row, folder)  # type: ignore[misc]
    yield "sound devices", _devices
    yield "playing", lambda: _playing(folder)


@contextmanager
def _home(folder: Path) -> Iterator[None]:
    """Let everything that Distill keeps go to a folder that will be removed."""
    before = os.environ.get("DISTILL_HOME")
    os.environ["DISTILL_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["DISTILL_HOME"]
        else:
            os.environ["DISTILL_HOME"] = before


def _resources() -> str:
    folder = paths.resources_dir()
    needed = [folder / "style.qss", *(folder / "icons" / f"{name}.svg" for name in ("distill", "chevron-down"))]
    if missing := [str(path) for path in needed if not path.is_file()]:
        raise FileNotFoundError(f"missing: {', '.join(missing)}")
    return "style sheet and icons are there"


def _tone(sample_rate: int, seconds: float = 0.5) -> "NDArray[np.float64]":
    import numpy as np

    t = np.arange(round(seconds * sample_rate)) / sample_rate
    return np.asarray(0.5 * np.sin(2 * np.pi * 440 * t) * np.exp(-3 * t))


def _formats(folder: Path) -> str:
    """Write a stereo sound in each format at a rate that must be converted, and decode it as a training does."""
    import numpy as np
    import soundfile

    from distill.audio.decoding.mono_decoder import SAMPLE_RATE, decode_sound

    folder.mkdir(parents=True)
    others = [(name, soundfile.default_subtype(name)) for name in soundfile.available_formats()]
    others = [pair for pair in others if pair not in REQUIRED and pair[0] not in _NO_SOUND_FILES]
    decoded = []
    for name, subtype in (*REQUIRED, *others):
        rate = 48_000 if subtype == "OPUS" else 44_100
        path = folder / f"{name}-{subtype}.{name.lower()}"
        try:
            soundfile.write(path, np.stack([_tone(rate)] * 2, axis=1), rate, format=name, subtype=subtype)
        except (soundfile.LibsndfileError, ValueError, TypeError):
            if (name, subtype) in REQUIRED:
                raise
            continue  # it has another idea of rates and channels, or can only be read
        length = len(decode_sound(path)) / SAMPLE_RATE
        if not 0.45 < length < 0.65:  # MP3 and others pad with silence
            raise ValueError(f"{name} {subtype} came back {length:.3f} s long instead of 0.5")
        decoded.append(name)
    names, version = ", ".join(dict.fromkeys(decoded)), soundfile.__libsndfile_version__
    return f"{len(decoded)} decoded by libsndfile {version} ({names})"


def _demo_sounds(folder: Path) -> str:
    from distill.audio.demo.demo_sounds import write_demo_sounds

    return f"{len(write_demo_sounds(folder))} written"


def _family(family: "FamilyInfo", folder: Path) -> str:
    """Train one short epoch, open the model that came of it, and send a sound through it."""
    import torch

    from distill.config.factory import make_config
    from distill.events import Event, StepMetrics, VQStepMetrics
    from distill.models.persistence import open_model
    from distill.training.loop import train

    sounds = sorted((folder / "sounds").glob("*.wav"), key=lambda path: path.stat().st_size)[:6]
    config = make_config(family.key, len(sounds), "aggressive", max_epochs=1, device="cpu", batch_size=4, num_threads=1)
    steps = 0

    def count(event: Event) -> None:
        nonlocal steps
        steps += isinstance(event, (StepMetrics, VQStepMetrics))

    target = folder / family.key
    outcome = train(config, sounds, target, "cpu", callback=count)["outcome"]
    if outcome != "finished" or steps < 2:
        raise RuntimeError(f"the training ended as {outcome!r} after {steps} steps")
    model = open_model(target / "model.distill")
    sound = torch.from_numpy(_tone(48_000, 1.0)).float()[None, None]
    waves = [model.reconstruct(sound)]
    if family.makes_new_sounds:
        waves.append(model.sample(1, seed=1))
    for audio in waves:
        if audio.shape[:2] != (1, 1) or not torch.isfinite(audio).all() or not audio.abs().max() > 0:
            raise ValueError(f"the model answered with {tuple(audio.shape)}, which is no sound")
    return f"{steps} steps, saved, opened, {len(waves)} sounds made"


def _devices() -> str:
    """List the devices; also where there is none, the library itself must be there."""
    import sounddevice

    outputs = [device["name"] for device in sounddevice.query_devices() if device["max_output_channels"] > 0]
    return f"{sounddevice.get_portaudio_version()[1]}: {', '.join(outputs) or 'no output device'}"


def _playing(folder: Path) -> str:
    """Play a quarter of a second of a quiet tone through the default device."""
    import threading

    from distill.audio.export import write_wav
    from distill.playback.player import Player, PlayerState, PlayerStatus

    path = folder / "tone.wav"
    write_wav(path, (0.2 * _tone(48_000, 0.25)).astype("float32"))
    ended = threading.Event()
    seen: list[PlayerStatus] = []

    def listen(status: PlayerStatus) -> None:
        seen.append(status)
        began = any(earlier.state is PlayerState.PLAYING for earlier in seen)
        if status.error is not None or (began and status.state is PlayerState.IDLE):
            ended.set()

    player = Player(listen)
    try:
        player.play(path)
        if not ended.wait(PLAYING_SECONDS):
            raise TimeoutError(f"the sound did not end within {PLAYING_SECONDS:.0f} s")
    finally:
        player.close()
    if seen[-1].state is PlayerState.NO_DEVICE:
        raise Skipped(seen[-1].error or "no output device")
    if seen[-1].error is not None:
        raise RuntimeError(seen[-1].error)
    return "a tone was played to its end"


if __name__ == "__main__":
    sys.exit(run())
