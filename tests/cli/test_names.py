"""Names that are no valid UTF-8, a tilde that no shell expands, and marks at the begin of JSON."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.audio.cache.waveform_overview import OverviewStore
from distill.audio.export import write_wav
from distill.cli.app import main
from distill.json_files import read_json, write_json
from tests.training.conftest import tone

ODD = ["caf\udce9.wav", "\udcff\udcfe.wav", "é\udc80\udc81 x.wav", "日\udcc3.wav", "tab\t\udca0.wav"]
needs_bytes = pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="names are text there")


@pytest.mark.parametrize("name", ODD)
def test_json_keeps_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.json"
    write_json(path, {name: [name]})
    assert read_json(path) == {name: [name]}
    json.loads(path.read_bytes().decode("utf-8"))  # standard JSON in UTF-8
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_json(path) == {name: [name]}


@needs_bytes
@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("where", ["file", "folder", "home"])
def test_sounds_with_any_name_are_usable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, where: str
) -> None:
    if where == "home":
        monkeypatch.setenv("DISTILL_HOME", str(tmp_path / "home" / name))
    folder = tmp_path / (name.removesuffix(".wav") if where == "folder" else "sounds")
    folder.mkdir()
    for number in range(2):
        write_wav(folder / f"{number}.wav", tone(number))
    if where == "file":
        (folder / "0.wav").rename(folder / name)
    assert main(["inspect", str(folder)]) == 0
    assert "2 usable sounds" in capsys.readouterr().out
    store = OverviewStore()
    for path in folder.iterdir():
        os.utime(path, (1_600_000_000, 1_600_000_000))
        store.get(path)
    store.close()
    again = OverviewStore()
    for path in folder.iterdir():
        again.get(path)
    again.close()


@pytest.mark.parametrize(
    "arguments",
    [
        lambda home: ["inspect", "~/sounds"],
        lambda home: ["inspect", "~/sounds/0.wav", "~/sounds/1.wav"],
        lambda home: ["inspect", f"{home}/sounds"],
        lambda home: ["inspect", "~"],
        lambda home: ["inspect", "~/sounds/"],
    ],
)
def test_a_tilde_is_the_home_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: Callable[[Path], list[str]],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for number in range(2):
        write_wav(tmp_path / "sounds" / f"{number}.wav", tone(number))
    assert main(arguments(tmp_path)) == 0
    assert "2 usable sounds" in capsys.readouterr().out


def test_a_tilde_behind_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        write_wav(tmp_path / "sounds" / f"{number}.wav", tone(number))
    assert main(["train", "~/sounds", "--out=~/sounds/run"]) == 2  # refused: inside the folder of sounds
    assert not (tmp_path / "~").exists()
