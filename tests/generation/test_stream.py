"""Sounds of any length go through a model in a stream: the same samples, in memory that does not grow."""

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from distill.audio.decoding.mono_decoder import FloatArray
from distill.generation.generated_sound import GenerationCancelled
from distill.generation.transform import reconstruct_stream, transform, transform_stream
from distill.models import open_model
from tests.support.models import write_tone_model

RATE = 48_000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return open_model(write_tone_model(tmp_path_factory.mktemp("models"), latent_dim=8, tones=4))


def noise(seconds: float) -> FloatArray:
    sound: FloatArray = (0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE))).astype(np.float32)
    return sound


def blocks(sound: FloatArray, size: int) -> Iterator[FloatArray]:
    return iter([sound[start : start + size] for start in range(0, len(sound), size)])


@pytest.mark.parametrize(("seconds", "size"), [(0.002, 7), (0.4, 1000), (1.0, 48_000), (2.3, 4099), (9.1, 30_000)])
def test_blocks_of_any_size_give_the_same_samples(model: Any, seconds: float, size: int) -> None:
    sound = noise(seconds)
    peak = float(np.abs(sound).max())
    whole = torch.from_numpy(sound)[None, None]
    for mix in (0.0, 0.6, 1.0):
        made = np.concatenate(list(transform_stream(model, blocks(sound, size), len(sound), peak, mix)))
        np.testing.assert_array_equal(made, transform(model, whole, mix)[0, 0].numpy())
    copies = np.concatenate(list(reconstruct_stream(model, blocks(sound, size), len(sound), peak, None)))
    np.testing.assert_array_equal(copies, model.reconstruct(whole)[0, 0].numpy())


class Counted:
    """Gives a sound out in blocks of a tenth of a second and knows how far it has been read."""

    def __init__(self, seconds: float) -> None:
        self.left, self.read = round(seconds * RATE), 0

    def __iter__(self) -> Iterator[FloatArray]:
        block = noise(0.1)
        while self.left > 0:
            given = block[: self.left]
            self.left, self.read = self.left - len(given), self.read + len(given)
            yield given


@pytest.mark.parametrize("through", ["transform", "mixed", "reconstruct"])
def test_no_more_than_some_seconds_are_held(model: Any, through: str) -> None:
    """What was read and not given out yet is all that memory holds of a sound."""
    seconds = 60.0
    source = Counted(seconds)
    samples = round(seconds * RATE)
    made = (
        reconstruct_stream(model, source, samples, 0.5, None)
        if through == "reconstruct"
        else transform_stream(model, source, samples, 0.5, 0.5 if through == "mixed" else 1.0)
    )
    given, most = 0, 0
    for piece in made:
        most = max(most, source.read - given)
        given += len(piece)
        if given > 30 * RATE:
            break
    assert most < 20 * RATE


def test_a_stream_ends_when_it_is_cancelled(model: Any) -> None:
    import threading

    cancel = threading.Event()
    made = transform_stream(model, Counted(60), 60 * RATE, 0.5, cancel_event=cancel)
    next(made)
    cancel.set()
    with pytest.raises(GenerationCancelled):
        for _ in made:
            pass


def test_a_sound_is_written_while_it_is_made(model: Any, tmp_path: Path) -> None:
    from distill.audio.export import export_sound

    source = Counted(3.0)
    written = export_sound(tmp_path / "a.wav", transform_stream(model, source, 3 * RATE, 0.5))
    assert written.samples == 3 * RATE
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


#: What every command that generates imports: torch alone takes 600 MB where it was built for CUDA.
IMPORTS = "import torch, soundfile, soxr, distill.generation.generated_sound, distill.models.persistence"


def peak_of_child(*words: str) -> float:
    """Run Python with these words and return the most memory that it had, in bytes."""
    child = subprocess.Popen([sys.executable, *words], env=os.environ | {"OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return 1024.0 * usage.ru_maxrss


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux does")
@pytest.mark.parametrize("command", [["transform", "--mix", "0.7"], ["reconstruct"]])
def test_an_hour_takes_no_more_memory_than_a_minute(tmp_path: Path, command: list[str]) -> None:
    """At most 400 MB beside what is imported."""
    model, block = write_tone_model(tmp_path / "models", 8, 4), noise(10.0)
    peaks = []
    for minutes in (1, 60):
        source, target = tmp_path / f"{minutes}.wav", tmp_path / f"{minutes} out.wav"
        with soundfile.SoundFile(source, "w", RATE, 1, "PCM_16") as file:
            for number in range(6 * minutes):
                file.write(np.roll(block, 997 * number))
        peaks.append(peak_of_child("-m", "distill", *command, str(model), str(source), str(target)))
        assert soundfile.info(target).frames == 60 * minutes * RATE
    imported = peak_of_child("-c", IMPORTS)
    print(command[0], "imports", imported / 1e6, "a minute", peaks[0] / 1e6, "an hour", peaks[1] / 1e6, "MB")
    assert peaks[1] - imported < 400e6
    assert peaks[1] < 1.2 * peaks[0]


def test_a_sound_in_one_block_is_not_copied_again_and_again() -> None:
    """`transform` gives its sound as one block: the time grew with the square of its length."""
    sound = np.random.default_rng(0).uniform(-1, 1, 200 * 48_000).astype(np.float32)
    model: Any = SimpleNamespace(chunk_samples=48_000, through_latent=lambda chunks: chunks)
    position = 0
    tracemalloc.start()
    try:
        for piece in reconstruct_stream(model, [sound], len(sound), 1.0, None):
            assert np.array_equal(piece, sound[position : position + len(piece)])
            position += len(piece)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert position == len(sound)
    assert most < sound.nbytes / 2
