"""The stereo images that a run keeps in its model file, and those of corpora that have none."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.sound_fix import SoundFix
from distill.events import Event, PreparationProgress
from distill.models import open_model
from distill.training import resume_run, train
from distill.training.ending import model_contents
from distill.training.ending.model_contents import build_images
from tests.audio.test_stereo import panned
from tests.models.test_image_store import balance
from tests.training.conftest import QUICK, tone
from tests.training.test_trouble import notices

CONFIG = replace(QUICK, max_epochs=1)


def write(folder: Path, count: int, stereo_count: int) -> list[Path]:
    """Write tones, the first of which are panned to the left."""
    folder.mkdir()
    files = [folder / f"tone {number}.wav" for number in range(count)]
    for number, path in enumerate(files):
        mono = tone(number)
        channels = panned(mono, -0.5) if number < stereo_count else mono[None]
        soundfile.write(path, channels.T, 48_000, subtype="PCM_24")
    return files


def store_of(result: Any) -> Any:
    return open_model(result["model_path"]).parts.stereo


@pytest.mark.parametrize("family_config", [{}, {"family": "complex_vae"}], ids=["vae", "complex_vae"])
def test_a_run_on_stereo_sounds_has_their_images(tmp_path: Path, family_config: dict[str, Any]) -> None:
    events: list[Event] = []
    sounds = write(tmp_path / "sounds", 5, 5)
    result = train(replace(CONFIG, **family_config), sounds, tmp_path / "run", "cpu", events.append)
    assert model_contents.STEREO_STAGE in {e.stage for e in events if isinstance(e, PreparationProgress)}
    model = open_model(result["model_path"])
    assert model.is_stereo
    expected = balance(panned(tone(0), -0.5))
    for made in model.generate(3, seed=1, channels=2):
        assert balance(made) == pytest.approx(expected, abs=1.0)
    text = result["model_path"].read_bytes()
    assert not any(path.stem.encode() in text for path in sounds)


def test_mono_and_stopped_runs_have_none(tmp_path: Path) -> None:
    result = train(CONFIG, write(tmp_path / "mono", 5, 0), tmp_path / "run", "cpu")
    data = torch.load(result["model_path"], weights_only=True)
    assert "stereo" not in data
    assert store_of(result) is None


def test_a_run_that_was_stopped_has_them_when_it_is_finished(tmp_path: Path) -> None:
    cancel = threading.Event()

    def stop(event: Event) -> None:
        if isinstance(event, PreparationProgress) and event.stage == model_contents.STEREO_STAGE:
            cancel.set()

    sounds = write(tmp_path / "sounds", 5, 5)
    assert train(CONFIG, sounds, tmp_path / "run", "cpu", stop, cancel)["outcome"] == "stopped"
    assert open_model(tmp_path / "run" / "model.distill").parts.stereo is None
    assert resume_run(tmp_path / "run")["outcome"] == "finished"
    assert open_model(tmp_path / "run" / "model.distill").is_stereo


def test_images_that_cannot_be_measured_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("distill.training.ending.model_contents.build_images", fail)
    events: list[Event] = []
    result = train(CONFIG, write(tmp_path / "sounds", 4, 4), tmp_path / "run", "cpu", events.append)
    assert result["outcome"] == "finished"
    assert any("without its stereo image" in message for message in notices(events, "checkpoint"))
    parts = open_model(result["model_path"]).parts
    assert parts.stereo is None
    assert parts.detail is not None


class TestShares:
    def test_a_tenth_of_the_files_must_be_stereo(self, tmp_path: Path) -> None:
        cache = SoundCache()
        sounds = [cache.get(path) for path in write(tmp_path / "sounds", 11, 1)]
        assert build_images(sounds) is None
        assert build_images(sounds[:10]) is not None

    def test_a_channel_that_the_user_has_chosen_is_mono(self, tmp_path: Path) -> None:
        cache = SoundCache()
        sounds = [cache.get(path) for path in write(tmp_path / "sounds", 3, 3)]
        assert build_images(sounds, lambda _sound: True) is None
        result = train(
            CONFIG, [s.source for s in sounds], tmp_path / "run", "cpu",
            fixes={s.source: SoundFix(channel=0) for s in sounds},
        )  # fmt: skip
        assert store_of(result) is None

    def test_files_that_are_gone_count_as_mono(self, tmp_path: Path) -> None:
        cache = SoundCache()
        sounds = [cache.get(path) for path in write(tmp_path / "sounds", 4, 4)]
        sounds[0].source.unlink()
        soundfile.write(sounds[1].source, panned(tone(1), 0.5)[:, :9000].T, 48_000)
        store = build_images(sounds)
        assert store is not None
        largest = [int(store.columns[store.owner == number, 0].abs().max()) for number in range(4)]
        by_source = dict(zip([sound.source for sound in sounds], largest, strict=True))
        assert [by_source[sounds[number].source] > 0 for number in range(4)] == [False, False, True, True]
