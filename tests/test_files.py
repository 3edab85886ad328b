"""Files are written whole or not at all; temporary files are Distill's own; JSON is not trusted."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from distill import files
from distill.files import write_folder, write_new, write_whole
from distill.json_files import parse_json, read_json, write_json
from distill.names import file_name, plain_name, slug

ROOT = Path(__file__).resolve().parents[1]


class TestNewFiles:
    def test_a_name_that_is_taken_is_numbered(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        paths = [write_new(path, lambda file, n=n: file.write(bytes([n]))) for n in range(3)]  # type: ignore[misc]
        assert [p.name for p in paths] == ["a.wav", "a (2).wav", "a (3).wav"]
        assert [p.read_bytes() for p in paths] == [b"\0", b"\1", b"\2"]
        assert len(list(tmp_path.iterdir())) == 3

    @pytest.mark.parametrize("way", ["unnamed", "linked", "moved"])
    def test_each_way_of_the_system_gives_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        if way != "unnamed":
            monkeypatch.setattr(files, "_open_unnamed", lambda folder: None)
        if way == "moved":
            monkeypatch.setattr(os, "link", lambda *a, **k: (_ for _ in ()).throw(OSError("no hard links")))
        (tmp_path / "a").write_bytes(b"old")
        assert write_new(tmp_path / "a", lambda file: file.write(b"new")).name == "a (2)"
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old", "a (2)": b"new"}

        def fail(file: object) -> None:
            raise RuntimeError

        with pytest.raises(RuntimeError):
            write_new(tmp_path / "b", fail)
        assert len(list(tmp_path.iterdir())) == 2

    def test_threads_never_take_the_same_name(self, tmp_path: Path) -> None:
        def work() -> None:
            for _ in range(20):
                write_new(tmp_path / "a", lambda file: file.write(b"whole"))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"whole"] * 80

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux has files without a name")
    def test_a_killed_writer_leaves_nothing(self, tmp_path: Path) -> None:
        code = f"""
            import os, signal
            from pathlib import Path
            from distill.files import write_new
            def die(file):
                file.write(b"half")
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            write_new(Path({str(tmp_path)!r}) / "a.distill", die)
        """
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)])
        assert done.returncode == -signal.SIGKILL
        assert list(tmp_path.iterdir()) == []


class TestJson:
    @pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 1000, "[" * 1000 + "]" * 1000, "[" * 65 + "]" * 65])
    def test_deep_nesting_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "deep.json").write_text(text)
        with pytest.raises(ValueError, match=r"deep|Expecting"):
            read_json(tmp_path / "deep.json")

    def test_what_is_nested_as_files_are_is_read(self) -> None:
        assert parse_json("[" * 64 + "]" * 64)

    @pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "1e999", "1" * 5000, b"\xff"])
    def test_numbers_and_bytes_that_are_not_json_are_refused(self, text: str | bytes) -> None:
        with pytest.raises(ValueError, match=r"."):
            parse_json(text)

    def test_a_huge_file_is_refused_before_it_is_parsed(self, tmp_path: Path) -> None:
        path = tmp_path / "huge.json"
        with path.open("wb") as file:
            file.truncate(3 << 30)
        with pytest.raises(ValueError, match=r"huge\.json is larger than 16 MB"):
            read_json(path)

    @pytest.mark.skipif(os.name != "posix", reason="no such files on Windows")
    def test_pipes_and_devices_are_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
            with pytest.raises(OSError, match=r"."):
                read_json(path)

    @pytest.mark.parametrize("text", ["Glöckchen", "a\ud800b", "\udcff.wav", "\0"])
    def test_every_text_comes_back(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "a.json"
        write_json(path, {text: [text, "ä"]})
        assert read_json(path) == json.loads(path.read_bytes()) == {text: [text, "ä"]}


def test_a_file_that_somebody_reads_is_replaced_a_moment_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows refuses it meanwhile: a list of runs that looks at a record ended the run that wrote it."""
    tries: list[Path] = []
    move = Path.replace

    def held(self: Path, target: Path) -> Path:
        tries.append(target)
        if len(tries) < 4:
            raise PermissionError(13, "The process cannot access the file")
        return move(self, target)

    monkeypatch.setattr("distill.files._WAITS_FOR_READERS", True)
    monkeypatch.setattr(Path, "replace", held)
    write_json(tmp_path / "a.json", {"a": 1})
    assert tries == [tmp_path / "a.json"] * 4
    assert read_json(tmp_path / "a.json") == {"a": 1}
    tries.clear()
    monkeypatch.setattr("distill.files._MOST_WAIT_S", 0.0)
    with pytest.raises(PermissionError):
        write_json(tmp_path / "a.json", {"a": 2})
    assert list(tmp_path.iterdir()) == [tmp_path / "a.json"]
    assert read_json(tmp_path / "a.json") == {"a": 1}


def test_writing_whole_replaces_or_leaves(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with write_whole(path) as file:
        file.write(b"one")
    with pytest.raises(ZeroDivisionError), write_whole(path) as file:
        file.write(bytes(1 // 0))
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"one")]


@pytest.mark.parametrize("name", ["CON", "con.a.b", "Nul", "COM1", "lpt9.x", "AUX.", "com²"])
def test_names_that_windows_reserves_are_changed(name: str) -> None:
    assert slug(name).startswith("_")
    assert slug("CONCERT") == "CONCERT"


def test_a_name_part_never_ends_in_a_dot() -> None:
    assert slug("a" * 59 + ".bcd") == "a" * 59


@pytest.mark.parametrize("letter", ["\u00e4", "\u97ff", "\U00020000"])
def test_a_part_of_a_file_name_has_room_for_more_whatever_its_letters(letter: str, tmp_path: Path) -> None:
    """Disks count bytes: a date goes before the name of a run, and an id behind that of a model."""
    name = slug(letter * 80)
    assert name == letter * min(60, 180 // len(letter.encode()))
    (tmp_path / f"2026-11-30 12.00.00 {name}_12345678.distill").touch()
    assert [path.name.count(letter) for path in tmp_path.iterdir()] == [len(name)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("เสียงกลอง ใหญ่", "เสียงกลอง-ใหญ่"), ("हिन्दी ढोल", "हिन्दी-ढोल"), ("தமிழ்", "தமிழ்"), ("gro\u0308ße", "größe"),
        ("\u0301alone", "alone"), ("/\u0301", "untitled"), ("❤\ufe0f 1\ufe0f", "1"), ("a--b !! _c", "a--b-_c"),
    ],
)  # fmt: skip
def test_a_name_part_keeps_the_marks_of_its_letters(text: str, wanted: str, tmp_path: Path) -> None:
    """Thai and Indic names lost their vowels: a dash was in the place of each."""
    (tmp_path / slug(text)).touch()
    assert [path.name for path in tmp_path.iterdir()] == [slug(text)] == [wanted]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("My <big> kick: 01 / a", "My big kick 01 a"), ("  ", "Sound"), ("…", "Sound"), ("CON", "_CON"),
        ("a kick...", "a kick"), ("trommel größe", "trommel größe"), ("a " * 40, ("a " * 30).strip()),
        ("trommel gro\u0308ße", "trommel größe"),
    ],
)  # fmt: skip
def test_a_name_for_a_file_keeps_its_words(text: str, wanted: str) -> None:
    assert plain_name(text) == wanted


@pytest.mark.parametrize("text", ["1" * 6000 + ".0", "1" * 6000 + "e5", "1e999", "-" + "9" * 400 + "e999", "1" * 6000])
def test_a_number_that_is_too_large_is_told_in_short(text: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the length of the message is what matters
        parse_json(text)
    assert len(str(refused.value)) < 200


def killed_while_writing(writer: str, work: str, *targets: Path) -> None:
    """Do some work on what a function of `distill.files` has ``made``, and die in it, once for each target."""
    code = (
        f"import os, sys; from pathlib import Path; from distill.files import {writer}\n"
        f"with {writer}(Path(sys.argv[1])) as made: {work}; os._exit(9)"
    )
    for target in targets:
        assert subprocess.run([sys.executable, "-c", code, str(target)], check=False).returncode == 9


@pytest.mark.skipif(os.name != "posix", reason="a process that is gone is told apart there only")
def test_what_a_killed_writer_left_goes_when_the_file_is_written_again(tmp_path: Path) -> None:
    killed_while_writing("write_whole", "made.write(b'half')", tmp_path / "a.bin", tmp_path / "b.bin")
    assert len(list(tmp_path.glob(".*.part"))) == 2
    with write_whole(tmp_path / "a.bin") as file:
        file.write(b"whole")
    assert [path.name[:6] for path in tmp_path.glob(".*.part")] == [".b.bin"]  # another file's is not looked at


@pytest.mark.skipif(os.name != "posix", reason="a process that is gone is told apart there only")
def test_a_folder_appears_as_a_whole_and_what_a_killed_writer_left_of_it_goes(tmp_path: Path) -> None:
    killed_while_writing("write_folder", "(made / 'half').touch()", tmp_path / "a", tmp_path / "b")
    stranger = tmp_path / ".a.x7y8z9.part"
    stranger.mkdir()
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(ZeroDivisionError), write_folder(tmp_path / "a") as folder:
        (folder / "half").write_bytes(bytes(1 // 0))
    (tmp_path / "a").mkdir()
    with write_folder(tmp_path / "a") as folder:
        (folder / "whole").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["whole"]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[0].startswith(".a.x7y8z9")
    assert [name[:10] for name in names[1:]] == [".b.distill", "a"]


@pytest.mark.parametrize("part", ["a", "ü", "音", "𝔻"])
def test_a_name_made_of_names_fits_on_a_disk(part: str, tmp_path: Path) -> None:
    """A long name in Japanese through a model of a long name in Japanese was refused as too long by the disk."""
    name = file_name(f"{plain_name(part * 80)} through {plain_name(part * 80)} 100", ".wav")
    assert len(os.fsencode(name)) <= 240
    assert name.startswith(part * 40)
    assert name.endswith(" 100.wav")
    (tmp_path / name).with_name(f"{Path(name).stem} (99).wav").touch()
    assert file_name("short", ".wav") == "short.wav"
