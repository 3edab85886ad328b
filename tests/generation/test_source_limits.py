"""Sounds that others are made from: not too long, and stopped between any two operations of torch."""

import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distill.audio.export import write_wav
from distill.cli.app import main
from distill.errors import Cancelled, SoundError
from distill.generation import source_limits
from distill.generation.generated_sound import GenerationCancelled
from distill.generation.map.map_session import MapSession
from distill.generation.recipe import EXTENDED, MORPHED, REPAINTED, VARIED
from distill.generation.remake import remake
from distill.generation.source_limits import MOST_SOURCE_S, measure_source
from distill.generation.vary_morph_extend import make_from_sound
from distill.library.model_library import ModelLibrary
from distill.models.persistence import open_model
from distill.process.stop_signals import EXIT_STOPPED
from tests.support.models import tone_model, write_model_with_prior
from tests.training.conftest import tone

KINDS: dict[str, dict[str, Any]] = {
    VARIED: {"strength": 0.5, "count": 2, "seed": 1},
    MORPHED: {"count": 3},
    EXTENDED: {"seconds": 0.5, "seed": 1},
    REPAINTED: {"start": 0.1, "end": 0.3, "seed": 1},
}


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model_with_prior(tone_model("vae"), tmp_path_factory.mktemp("models") / "vae.distill")


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    write_wav(tmp_path / "bell.wav", tone(1, 0.8))
    return tmp_path / "bell.wav"


def write_long(path: Path) -> Path:
    """Write a file of a little more than what is taken, in few bytes."""
    soundfile.write(path, np.full(301 * 8000, 0.5), 8000, subtype="PCM_U8")
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_made_of_a_sound_is_stopped_while_the_model_computes(
    kind: str, model_file: Path, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, stop, finished = open_model(model_file), threading.Event(), list[str]()
    features, to_waveform = type(model.family).features, type(model.family).to_waveform
    second = sound if kind == MORPHED else None

    def begun(*arguments: Any) -> Any:
        stop.set()
        return features(*arguments)

    def ended(*arguments: Any, **named: Any) -> Any:
        finished.append(kind)
        return to_waveform(*arguments, **named)

    made = list(make_from_sound(model, model_file, kind, sound, second, stop, **KINDS[kind]))
    monkeypatch.setattr(type(model.family), "features", begun)
    monkeypatch.setattr(type(model.family), "to_waveform", ended)
    with pytest.raises(GenerationCancelled):
        list(make_from_sound(model, model_file, kind, sound, second, stop, **KINDS[kind]))
    stop.clear()
    with pytest.raises(GenerationCancelled):
        remake(made[0].recipe, ModelLibrary(sound.parent / "none"), cancel_event=stop)
    assert finished == []


@pytest.mark.parametrize("line", ["vary MODEL SOUND --count 4 --seed 1", "morph MODEL SOUND SOUND --steps 4"])
def test_each_sound_is_written_when_it_is_made_and_stays_after_a_stop(
    line: str, model_file: Path, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand results of a long sound did not fit into memory, and a stop lost all of them."""
    known = {"MODEL": str(model_file), "SOUND": str(sound)}
    words = [known.get(word, word) for word in line.split()]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert main([*words, "--out", str(whole)]) == 0
    family = type(open_model(model_file).family)
    to_waveform, calls = family.to_waveform, list[int]()

    def interrupted(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return to_waveform(*arguments, **named)

    monkeypatch.setattr(family, "to_waveform", interrupted)
    assert main([*words, "--out", str(stopped)]) == EXIT_STOPPED
    files, expected = sorted(stopped.iterdir()), sorted(whole.iterdir())
    assert [path.name for path in files] == [path.name for path in expected[:2]]
    for path, other in zip(files, expected, strict=False):
        np.testing.assert_array_equal(soundfile.read(path)[0], soundfile.read(other)[0])


def test_a_sound_that_is_too_long_is_refused_by_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_long(tmp_path / "long.wav")
    monkeypatch.setattr(source_limits, "measure_mono", lambda *_: pytest.fail("it was decoded"))
    for kind in KINDS:
        with pytest.raises(SoundError, match=f"it is 301 s long, and can be {kind} up to {MOST_SOURCE_S:.0f} s"):
            measure_source(path, kind)


@pytest.mark.parametrize(
    "line",
    ["vary MODEL LONG --out out", "morph MODEL SHORT LONG --out out", "extend MODEL LONG a.wav",
     "repaint MODEL LONG a.wav --from 1 --to 2"],
)  # fmt: skip
def test_the_terminal_names_a_sound_that_is_too_long(
    line: str, model_file: Path, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {"MODEL": str(model_file), "LONG": str(write_long(tmp_path / "long.wav")), "SHORT": str(sound)}
    assert main([known.get(word, word) for word in line.split()]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"distill: {known['LONG']} cannot be used: it is 301 s long")
    assert len(printed.splitlines()) == 1


def test_the_window_names_it_too_and_is_stopped(
    model_file: Path, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, stop = MapSession(), threading.Event()
    monkeypatch.setattr(session, "_opened", lambda: open_model(model_file))
    monkeypatch.setattr(session, "_file", model_file, raising=False)
    with pytest.raises(SoundError, match=r"long\.wav cannot be used: it is 301 s long"):
        session.extend(write_long(tmp_path / "long.wav"), 1.0, 1)
    stop.set()
    with pytest.raises(Cancelled):
        session.repaint(sound, 0.1, 0.3, 1, stop)
