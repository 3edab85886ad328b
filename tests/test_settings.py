"""The window's preferences."""

from pathlib import Path

import pytest

from distill.paths import settings_file
from distill.settings import WindowSettings


def test_what_is_saved_comes_back() -> None:
    settings = WindowSettings(sounds=["/a b"], run="/r", family="vae", epochs=7, volume=0.25, columns=[1, 2, 3])
    settings.save()
    assert WindowSettings.load() == settings


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_damaged_file_is_a_fresh_start(content: bytes) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_bytes(content)
    assert WindowSettings.load() == WindowSettings()


def test_values_of_a_wrong_type_take_their_default() -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text('{"sounds": [1], "epochs": "many", "volume": 7, "columns": [1, "x"], "run": "/r"}')
    assert WindowSettings.load() == WindowSettings(run="/r", volume=1.0)


def test_a_disk_that_cannot_be_written_to_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    WindowSettings().save(blocked / "settings.json")
    assert "preferences cannot be kept" in caplog.text
    assert blocked.read_bytes() == b""
