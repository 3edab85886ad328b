"""Damage that a decoder steps over is told, with how much was lost; whole files say nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.mono_decoder import stream_sound
from distill.cli.app import main
from tests.audio.test_real_end import (
    MP3_LENGTHS,
    PACKET_S,
    SUFFIXES,
    TAGS,
    encoded,
    mpeg_in_wav,
    sweep,
    without_length_frame,
    write,
)

SECONDS, RATE = 8.0, 48_000
KINDS = ("MP3", "OGG VORBIS", "OGG OPUS", "FLAC PCM_16", "FLAC PCM_24")

DAMAGE: dict[str, Callable[[bytes, int], bytes]] = {
    "zeros": lambda data, at: data[:at] + bytes(3000) + data[at + 3000 :],
    "junk": lambda data, at: data[:at] + np.random.default_rng(5).bytes(3000) + data[at + 3000 :],
    "one byte": lambda data, at: data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :],
}


def told(path: Path) -> tuple[float, str]:
    """Return the seconds that were decoded, and what was said of damage."""
    found: list[str] = []
    samples = sum(len(block) for block in stream_sound(path, on_damage=found.append))
    assert len(found) <= 1
    return samples / RATE, "".join(found)


def seconds_in(text: str) -> float:
    return float(text.partition(" s of it")[0].rpartition(" ")[2])


@pytest.mark.parametrize("kind", ["OGG VORBIS", "OGG OPUS", "MP3"])
@pytest.mark.parametrize("damage", ["zeros", "junk"])
@pytest.mark.parametrize("position", [0.3, 0.6])
def test_what_was_skipped_is_told(tmp_path: Path, kind: str, damage: str, position: float) -> None:
    data = encoded(kind, sweep(SECONDS, RATE), RATE)
    path = write(tmp_path, kind, DAMAGE[damage](data, int(position * len(data))))
    decoded, text = told(path)
    assert text.startswith("it is damaged: about ")
    assert text.endswith(" s of it were skipped")
    assert seconds_in(text) == pytest.approx(SECONDS - decoded, abs=2 * PACKET_S)
    assert seconds_in(text) > 0.05


@pytest.mark.parametrize("kind", ["FLAC PCM_16", "FLAC PCM_24"])
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("position", [0.3, 0.6])
def test_what_was_replaced_by_silence_is_told(tmp_path: Path, kind: str, damage: str, position: float) -> None:
    data = encoded(kind, sweep(SECONDS, RATE), RATE)
    path = write(tmp_path, kind, DAMAGE[damage](data, int(position * len(data))))
    blocks = list(stream_sound(path))
    silent = np.count_nonzero(np.concatenate(blocks) == 0) / RATE
    decoded, text = told(path)
    assert decoded == SECONDS
    assert text.endswith(" s of it were replaced by silence")
    assert seconds_in(text) == pytest.approx(silent, abs=0.01)


def test_a_page_of_ogg_with_one_wrong_byte(tmp_path: Path) -> None:
    data = encoded("OGG VORBIS", sweep(SECONDS, RATE), RATE)
    decoded, text = told(write(tmp_path, "OGG VORBIS", DAMAGE["one byte"](data, len(data) // 2)))
    assert seconds_in(text) == pytest.approx(SECONDS - decoded, abs=2 * PACKET_S)


def test_mp3_without_a_length_and_inside_wav(tmp_path: Path) -> None:
    data = encoded("MP3", sweep(SECONDS, RATE), RATE, bitrate_mode="CONSTANT")
    broken = DAMAGE["zeros"](data, len(data) // 2)
    for path in (write(tmp_path, "MP3", without_length_frame(broken)), tmp_path / "b.wav"):
        if path.suffix == ".wav":
            path.write_bytes(mpeg_in_wav(without_length_frame(broken), None))
        decoded, text = told(path)
        assert seconds_in(text) == pytest.approx(SECONDS - decoded, abs=4 * PACKET_S)


@pytest.mark.parametrize("kind", ["OGG VORBIS", "OGG OPUS", "FLAC PCM_16"])
@pytest.mark.parametrize("count", [1, 2])
def test_recordings_that_cannot_be_opened_are_counted(tmp_path: Path, kind: str, count: int) -> None:
    """They used to end the whole scan of a folder."""
    data = encoded(kind, sweep(1.0, RATE), RATE)
    damaged = bytearray(data)
    if kind.startswith("FLAC"):
        damaged[18:26] = bytes(8)  # sample rate and channels
    else:
        damaged[60:3500] = bytes(3440)  # the second header
    decoded, text = told(write(tmp_path, kind, data + bytes(damaged) * count))
    assert decoded == pytest.approx(1.0, abs=PACKET_S)
    were = {1: "1 recording was", 2: "2 recordings were"}[count]
    assert text == f"it is damaged: {were} skipped that cannot be opened"


@pytest.mark.parametrize("kind", SUFFIXES)
@pytest.mark.parametrize("tag", ["", *TAGS])
def test_whole_files_say_nothing(tmp_path: Path, kind: str, tag: str) -> None:
    data = encoded(kind, sweep(1.0, RATE), RATE) + TAGS.get(tag, b"")
    assert told(write(tmp_path, kind, data))[1] == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [0.003, 0.05, 0.7])
@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
def test_whole_files_of_any_length_and_rate_say_nothing(tmp_path: Path, kind: str, seconds: float, rate: int) -> None:
    for audio in (sweep(seconds, rate), np.stack([sweep(seconds, rate)] * 2, 1)):
        assert told(write(tmp_path, kind, encoded(kind, audio, rate)))[1] == ""


@pytest.mark.parametrize("kind", KINDS)
def test_joined_files_say_nothing(tmp_path: Path, kind: str) -> None:
    assert (
        told(write(tmp_path, kind, b"".join(encoded(kind, sweep(1.0 + n, RATE, n), RATE) for n in range(3))))[1] == ""
    )


@pytest.mark.parametrize("change", MP3_LENGTHS)
@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
def test_mp3_with_a_wrong_length_is_not_damaged(tmp_path: Path, change: str, mode: str) -> None:
    data = encoded("MP3", sweep(3.0, RATE), RATE, bitrate_mode=mode)
    assert told(write(tmp_path, "MP3", MP3_LENGTHS[change](data)))[1] == ""


@pytest.mark.parametrize("tag", ["ID3v1", "ID3v2", "APE"])
def test_a_tag_between_joined_mp3_files_is_no_damage(tmp_path: Path, tag: str) -> None:
    data = without_length_frame(encoded("MP3", sweep(2.0, RATE), RATE, bitrate_mode="CONSTANT"))
    between = {
        "ID3v1": b"TAG" + bytes(125),
        "ID3v2": b"ID3\x04\0\0\0\0\x08\0" + bytes(1024),
        "APE": b"APETAGEX" + bytes(56),
    }[tag]
    assert told(write(tmp_path, "MP3", data + between + data))[1] == ""


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Return a folder of a whole sound and a damaged one."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    soundfile.write(folder / "whole.wav", sweep(1.0, RATE), RATE)
    data = encoded("FLAC PCM_16", sweep(2.0, RATE, 1), RATE)
    (folder / "torn.flac").write_bytes(DAMAGE["zeros"](data, len(data) // 2))
    return folder


def test_it_is_kept_in_the_cache(damaged: Path) -> None:
    first = SoundCache().get(damaged / "torn.flac")
    assert first.notes == (first.damage,)
    assert "replaced by silence" in first.damage
    assert SoundCache().get(damaged / "torn.flac").damage == first.damage
    assert SoundCache().get(damaged / "whole.wav").notes == ()


def test_a_cache_of_the_version_before_is_still_read(damaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = json.dumps

    def without_damage(data: dict[str, str]) -> str:
        return plain({name: value for name, value in data.items() if name != "damage"})

    with monkeypatch.context() as patch:
        patch.setattr(json, "dumps", without_damage)
        written = SoundCache().get(damaged / "torn.flac")
    before = written.file.stat().st_mtime_ns
    again = SoundCache().get(damaged / "torn.flac")
    assert (again.damage, again.samples, again.file.stat().st_mtime_ns) == ("", written.samples, before)


def test_inspect_says_it_of_the_file(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(damaged)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note")]
    assert line.startswith(f"note     {damaged / 'torn.flac'}: it is damaged: 0.")
    assert line.endswith(" s of it were replaced by silence")
    assert main(["inspect", "--json", str(damaged)]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [line.removeprefix("note     ")]
