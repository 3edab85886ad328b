"""What is done to generated sounds that were renamed since the list was read: requests wait behind each other."""

import errno
from collections.abc import Iterable
from pathlib import Path
from threading import Event

import pytest

from distill import paths
from distill.audio.export import write_wav
from distill.audio.export_options import ExportOptions
from distill.errors import DistillError
from distill.generation import export_sounds
from distill.generation.export_sounds import ExportRequest
from distill.generation.history import sound_history
from distill.generation.history.sound_history import GeneratedEntry, GeneratedHistory
from distill.generation.recipe import MAPPED, Recipe
from tests.training.conftest import tone


@pytest.fixture
def sound() -> GeneratedEntry:
    """A sound as the list shows it, and has not seen its new name yet."""
    entry = GeneratedEntry(paths.generated_dir() / "Bell.wav", Recipe(MAPPED, "ab" * 16, positions=((0.5, 0.5),)))
    entry.path.parent.mkdir(parents=True)
    write_wav(entry.path, tone(1, 0.1))
    GeneratedHistory().add([entry])
    sound_history.rename(entry, "Gong")
    return entry


def files() -> list[str]:
    return sorted(path.name for path in paths.generated_dir().glob("*.wav"))


def test_it_is_renamed_once_more(sound: GeneratedEntry) -> None:
    assert sound_history.rename(sound, "Chime").name == "Chime.wav"
    assert files() == ["Chime.wav"]
    assert [entry.path.name for entry in GeneratedHistory().list()] == ["Chime.wav"]


def test_it_goes_to_the_trash_and_comes_back(sound: GeneratedEntry, tmp_path: Path) -> None:
    trash = tmp_path / "trash"
    trash.mkdir()
    removed, error = sound_history.remove([sound], lambda path: path.rename(trash / path.name))
    assert error is None
    assert files() == []
    assert [path.name for path in trash.iterdir()] == ["Gong.wav"]
    sound_history.bring_back(removed)
    assert files() == ["Gong.wav"]
    assert [entry.path.name for entry in GeneratedHistory().list()] == ["Gong.wav"]


def test_it_is_exported(sound: GeneratedEntry, tmp_path: Path) -> None:
    request = ExportRequest((sound,), tmp_path / "exported", ExportOptions("flac16"))
    written = export_sounds.export(request, lambda _news: None, Event())
    assert [path.name for path in written] == ["Gong.flac"]


def test_a_sound_that_cannot_be_listed_leaves_no_file(sound: GeneratedEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_history: GeneratedHistory, _sounds: Iterable[GeneratedEntry]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(GeneratedHistory, "add", full)
    with pytest.raises(DistillError, match="No space left"):
        sound_history.keep("Another", tone(2, 0.1), sound.recipe)
    assert files() == ["Gong.wav"]
