"""``distill --selftest``: each check works here, and one that fails is told and does not hide the others."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from distill import __main__, selftest
from distill.config.family_catalog import family_info

Check = tuple[str, Callable[[], str]]


def test_formats_are_decoded(tmp_path: Path) -> None:
    answer = selftest._formats(tmp_path / "formats")
    for name in ("WAV", "AIFF", "FLAC", "OGG", "MP3", "CAF", "AU"):
        assert name in answer


def test_a_format_that_decodes_wrongly_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distill.audio.decoding import mono_decoder

    right = mono_decoder.decode_sound
    monkeypatch.setattr(mono_decoder, "decode_sound", lambda path: right(path)[:100])
    with pytest.raises(ValueError, match="instead of"):
        selftest._formats(tmp_path / "formats")


def test_a_family_goes_the_whole_way(tmp_path: Path) -> None:
    selftest._demo_sounds(tmp_path / "sounds")
    answer = selftest._family(family_info("vae"), tmp_path)
    assert "saved, opened, 2 sounds made" in answer
    assert (tmp_path / "vae" / "model.distill").is_file()


def test_what_fails_is_told_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], distill_home: Path
) -> None:
    homes = []

    def broken() -> str:
        raise ImportError("no such library")

    def skipped() -> str:
        raise selftest.Skipped("no device")

    def fine() -> str:
        homes.append(os.environ["DISTILL_HOME"])
        return "good"

    def checks(_folder: Path) -> Iterator[Check]:
        yield from (("one", broken), ("two", skipped), ("three", fine))

    monkeypatch.setattr(selftest, "_checks", checks)
    assert __main__.main(["--selftest"]) == 1
    said = capsys.readouterr()
    assert "FAILED   one: ImportError('no such library')" in said.out
    assert "skipped  two: no device" in said.out
    assert "ok       three: good" in said.out
    assert "1 checks failed." in said.out
    assert "Traceback" in said.err
    assert homes != [str(distill_home)]  # nothing goes to the user's own folders
    assert not Path(homes[0]).exists()
    assert os.environ["DISTILL_HOME"] == str(distill_home)
