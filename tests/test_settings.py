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


@pytest.mark.parametrize("number", ["1e30", "-1e30", "2147483648", "-1", "1e999", "NaN", "[[[]]]", "null", "true"])
def test_extreme_values_cost_only_their_own_field(number: str, caplog: pytest.LogCaptureFixture) -> None:
    settings_file().parent.mkdir(parents=True)
    for name in ("epochs", "page", "side_tab", "volume", "columns", "geometry", "making", "sounds", "family"):
        value = f"[{number}]" if name in ("columns", "sounds") else number
        settings_file().write_text(f'{{"run": "/r", "{name}": {value}}}')
        settings = WindowSettings.load()
        assert settings.run == ("" if number in ("1e999", "NaN") else "/r")
        assert 0 <= settings.epochs <= 1_000_000
        assert 0 <= settings.page <= 100
        assert 0 <= settings.volume <= 1
        assert all(0 <= width <= 100_000 for width in settings.columns)
        assert WindowSettings().making == settings.making
        if getattr(settings, name) == getattr(WindowSettings(), name) and settings.damaged:
            assert name in settings.damaged
            assert caplog.text.count("preferences") == 1
        caplog.clear()


def test_a_table_of_a_panel_loses_only_its_absurd_numbers() -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text('{"making": {"a": 1e30, "seed": 7, "form": {"a": -1e99, "b": [1, 2e20], "c": null}}}')
    assert WindowSettings.load().making == {"seed": 7, "form": {"c": None}}


@pytest.mark.parametrize("text", ['{"making": ' * 2000, "[" * 1000 + "]" * 1000])
def test_deep_nesting_is_a_fresh_start(text: str) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(text)
    settings = WindowSettings.load()
    assert settings == WindowSettings()
    assert "epochs" in settings.damaged
    settings.save()
    assert "damaged" not in settings_file().read_text()


def test_a_disk_that_cannot_be_written_to_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    WindowSettings().save(blocked / "settings.json")
    assert "preferences cannot be kept" in caplog.text
    assert blocked.read_bytes() == b""
