"""Files are decoded to their real end: joined, tagged, damaged, never closed, without a stated length."""

import errno
import io
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.cache.waveform_overview import measure_sound
from distill.audio.decoding.mono_decoder import decode_sound
from distill.audio.decoding.open_sound import UnreachableSoundError, open_sound, read_header
from distill.audio.decoding.streams.byte_view import ByteView
from distill.errors import SoundError

Array = npt.NDArray[Any]
RATE = 44_100
#: What encoders and decoders may add or drop at a joint: a packet of MP3 and of Vorbis.
PACKET_S = 1152 / RATE + 0.001


def sweep(seconds: float, rate: int = RATE, seed: int = 0) -> Array:
    """A sound that is different at each moment, so that a shift or a gap shows."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    wave = 0.4 * np.sin(2 * np.pi * (200 + 60 * seed) * t * (1 + 0.4 * t / seconds))
    return np.asarray(wave + 0.02 * rng.standard_normal(len(t)), np.float32)


def encoded(kind: str, audio: Array, rate: int = RATE, **options: Any) -> bytes:
    """The bytes of a file of a format, ``"OGG VORBIS"`` for instance."""
    container, _, coding = kind.partition(" ")
    whole = io.BytesIO()
    soundfile.write(whole, audio, rate, format=container, subtype=coding or None, **options)
    return whole.getvalue()


SUFFIXES = {"WAV": "wav", "AIFF": "aiff", "FLAC": "flac", "OGG": "ogg", "MP3": "mp3", "CAF": "caf", "AU": "au",
            "W64": "w64", "RF64": "wav"}  # fmt: skip


def write(folder: Path, kind: str, data: bytes) -> Path:
    path = folder / f"a.{SUFFIXES[kind.split()[0]]}"
    path.write_bytes(data)
    return path


def is_whole(path: Path, expected: Array, rate: int = RATE, tolerance_s: float = 1e-4) -> bool:
    """Compare the length as stated and as decoded, the peak of the overview, and the content of the last quarter."""
    audio = decode_sound(path, normalize=False)
    assert len(audio) / 48_000 == pytest.approx(len(expected) / rate, abs=tolerance_s)
    assert read_header(path).duration_s == pytest.approx(len(audio) / 48_000, abs=tolerance_s)
    assert measure_sound(path).peak_dbfs == pytest.approx(20 * np.log10(np.abs(expected).max()), abs=1)
    at = np.arange(len(audio)) / 48_000
    same = np.interp(at, np.arange(len(expected)) / rate, expected)
    quarter = len(audio) // 4  # the last quarter: what follows a joint or damage is in its position
    return correlation(audio[-quarter:], same[-quarter:]) > 0.95


def correlation(first: Array, second: Array, shift: int = 2400) -> float:
    """The largest correlation of two sounds that are shifted by up to 50 ms."""
    inner = first[shift:-shift].astype(np.float64)
    size = 1 << (2 * len(second)).bit_length()
    product = np.fft.irfft(np.fft.rfft(second, size) * np.conj(np.fft.rfft(inner, size)), size)[: 2 * shift + 1]
    energy = np.concatenate([[0.0], np.cumsum(second.astype(np.float64) ** 2)])
    energies = (energy[len(inner) :] - energy[: len(second) - len(inner) + 1])[: 2 * shift + 1]
    return float((product / np.sqrt(energies * np.dot(inner, inner))).max())


@pytest.mark.parametrize("kind", ["MP3", "OGG VORBIS", "OGG OPUS", "FLAC PCM_16", "FLAC PCM_24"])
@pytest.mark.parametrize("count", [2, 5])
def test_joined_files(tmp_path: Path, kind: str, count: int) -> None:
    rate = 48_000 if "OPUS" in kind else RATE
    parts = [sweep(1.0 + 0.3 * n, rate, n) for n in range(count)]
    path = write(tmp_path, kind, b"".join(encoded(kind, part, rate) for part in parts))
    assert is_whole(path, np.concatenate(parts), rate, PACKET_S * count)


def test_joined_files_of_other_rates_and_channels(tmp_path: Path) -> None:
    first, second = sweep(1.0), sweep(2.0, 48_000, 1)
    for kind in ("MP3", "OGG VORBIS", "FLAC"):
        data = encoded(kind, first) + encoded(kind, np.stack([second, second], 1), 48_000)
        path = write(tmp_path, kind, data)
        assert len(decode_sound(path)) / 48_000 == pytest.approx(3.0, abs=2 * PACKET_S)
        assert read_header(path).duration_s == pytest.approx(3.0, abs=2 * PACKET_S)


def without_length_frame(data: bytes) -> bytes:
    first = data.index(b"\xff\xfb")
    return data[data.index(b"\xff\xfb", first + 4) :]


def with_length(data: bytes, frames: int) -> bytes:
    mark = max(data.find(b"Xing"), data.find(b"Info"))
    return data[: mark + 8] + struct.pack(">I", frames) + data[mark + 12 :]


MP3_LENGTHS: dict[str, Callable[[bytes], bytes]] = {
    "none": without_length_frame,
    "zero": lambda data: with_length(data, 0),
    "too small": lambda data: with_length(data, 40),
    "none behind a tag": lambda data: b"ID3\x04\0\0\0\0\x08\0" + bytes(1024) + without_length_frame(data),
    "none before a tag": lambda data: without_length_frame(data) + b"TAG" + bytes(125),
}


@pytest.mark.parametrize("change", MP3_LENGTHS)
@pytest.mark.parametrize("loud_first", [True, False])
@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
def test_mp3_without_a_right_length(tmp_path: Path, change: str, loud_first: bool, mode: str) -> None:
    noise = 0.6 * np.random.default_rng(1).uniform(-1, 1, RATE).astype(np.float32)
    audio = np.concatenate([noise, sweep(6.0)] if loud_first else [sweep(6.0), noise])
    data = encoded("MP3", audio, bitrate_mode=mode, compression_level=0.3)
    path = write(tmp_path, "MP3", MP3_LENGTHS[change](data))
    assert read_header(path).duration_s == pytest.approx(7.0, abs=3 * PACKET_S)
    assert len(decode_sound(path)) / 48_000 == pytest.approx(7.0, abs=3 * PACKET_S)


def test_mp3_of_a_free_bitrate_with_the_mark_of_a_frame_in_its_last_frame(tmp_path: Path) -> None:
    """Such frames do not state their size, so only the mark was counted, and the file was refused."""
    data = encoded("MP3", sweep(2.0, 48_000), 48_000, bitrate_mode="CONSTANT", compression_level=0.6)
    size = data.find(data[:3], 40)  # at 48 kHz all frames are as long
    frames = [bytearray(data[at : at + size]) for at in range(size, len(data), size)]
    assert {bytes(frame[:3]) for frame in frames} == {data[:3]}
    for frame in frames:
        frame[2] &= 0x0F
    frames[-1][-100:-96] = b"\xff\xfb\x90\x64"
    path = write(tmp_path, "MP3", b"".join(map(bytes, frames)))
    assert len(decode_sound(path)) / 48_000 == pytest.approx(2.0, abs=3 * PACKET_S)


def mpeg_in_wav(frames: bytes, fact: int | None, tag: int = 0x55) -> bytes:
    fmt = struct.pack("<HHIIHHHHIHHH", tag, 1, RATE, 8000, 1, 0, 12, 1, 2, 417, 1, 1393)
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt
    if fact is not None:
        chunks += b"fact" + struct.pack("<II", 4, fact)
    chunks += b"data" + struct.pack("<I", len(frames)) + frames + bytes(len(frames) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize("fact", [None, 0, 1000, 3 * RATE, 4 * RATE])
@pytest.mark.parametrize("change", ["none", "whole"])
def test_mp3_inside_wav(tmp_path: Path, fact: int | None, change: str) -> None:
    """With and without a length frame; the number of samples that the WAV states is a rough one at best."""
    audio = sweep(3.0)
    data = encoded("MP3", audio)
    data = without_length_frame(data) if change == "none" else data
    assert is_whole(write(tmp_path, "WAV", mpeg_in_wav(data, fact)), audio, RATE, 3 * PACKET_S)
    (tmp_path / "cut.wav").write_bytes(mpeg_in_wav(data, fact)[: len(data) // 2])
    with pytest.raises(SoundError, match="cut off"):
        decode_sound(tmp_path / "cut.wav")


@pytest.mark.parametrize("tag", [0x674F, 0x6750, 0x6771])
@pytest.mark.parametrize("suffix", [".wav", ".ogg"])
def test_vorbis_inside_wav(tmp_path: Path, tag: int, suffix: str) -> None:
    """Older sample libraries have such files, some of them called .ogg; libsndfile refuses them."""
    audio = sweep(3.0)
    data = encoded("OGG VORBIS", audio)
    listed = b"LIST" + struct.pack("<I", 4) + b"INFO"
    path = tmp_path / f"bell{suffix}"
    path.write_bytes(mpeg_in_wav(data, 1000, tag) + listed)
    assert is_whole(path, audio, RATE)
    path.write_bytes(mpeg_in_wav(data, 1000, tag)[: len(data) // 2])
    with pytest.raises(SoundError, match="cut off"):
        decode_sound(path)


def ape_tag(has_header: bool) -> bytes:
    item = struct.pack("<II", 4, 0) + b"Title\0Bell"
    head = b"APETAGEX" + struct.pack("<III", 2000, 32 + len(item), 1)
    return (
        (head + struct.pack("<I", 0xA0000000) + bytes(8) if has_header else b"")
        + item
        + head
        + struct.pack("<I", 0x80000000 if has_header else 0)
        + bytes(8)
    )


def lyrics_tag() -> bytes:
    body = b"LYRICSBEGININD0000200"
    return body + f"{len(body):06d}".encode() + b"LYRICS200"


TAGS = {
    "ID3v1": b"TAG" + b"x" * 125,
    "APE": ape_tag(False),
    "APE with header": ape_tag(True),
    "Lyrics3 and ID3v1": lyrics_tag() + b"TAG" + b"x" * 125,
    "APE and ID3v1": ape_tag(True) + b"TAG" + b"x" * 125,
    "zeros": bytes(100_000),
}
CONTAINERS = ["WAV PCM_16", "AIFF PCM_24", "FLAC PCM_16", "OGG VORBIS", "OGG OPUS", "MP3", "CAF PCM_16", "AU PCM_16",
              "W64 PCM_16", "RF64 PCM_16"]  # fmt: skip


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize("tag", TAGS)
def test_tags_and_padding_behind_the_sound(tmp_path: Path, kind: str, tag: str) -> None:
    audio = sweep(2.001, 48_000)  # an odd number of samples: no container ends at a multiple of its alignment
    data = encoded(kind, audio, 48_000)
    assert is_whole(write(tmp_path, kind, data + TAGS[tag]), audio, 48_000, PACKET_S)


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize("front", ["ID3v2", "zeros", "ID3v2 and zeros", "APE"])
def test_tags_and_padding_before_the_sound(tmp_path: Path, kind: str, front: str) -> None:
    tag = b"ID3\x04\0\0\0\0\x08\0" + b"T" * 1024
    before = {"ID3v2": tag, "zeros": bytes(70_000), "ID3v2 and zeros": tag + bytes(5000), "APE": ape_tag(True)}[front]
    audio = sweep(2.0, 48_000)
    assert is_whole(write(tmp_path, kind, before + encoded(kind, audio, 48_000)), audio, 48_000, PACKET_S)


@pytest.mark.parametrize("kind", ["WAV PCM_16", "AIFF PCM_24", "FLAC PCM_16", "OGG VORBIS", "OGG OPUS", "MP3"])
@pytest.mark.parametrize(
    "size", [b"ID3\x04\0\0\x7f\x7f\x7f\x7f", b"APETAGEX" + struct.pack("<IIQQ", 2000, 1 << 31, 1, 0)]
)
def test_a_tag_that_claims_more_than_the_file_holds(tmp_path: Path, kind: str, size: bytes) -> None:
    audio = sweep(2.0, 48_000)
    data = size + b"T" * 1000 + encoded(kind, audio, 48_000)
    assert is_whole(write(tmp_path, kind, data), audio, 48_000, PACKET_S)


#: The beginning of what macOS writes beside a file on a disk that knows no resource forks (AppleDouble).
FORK = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \x00\x02\x00\x00\x00\x09" + bytes(4062)


@pytest.mark.parametrize("fork", ["._a.mp3", ".AppleDouble/a.mp3", "._", ".AppleDouble/x"])
@pytest.mark.parametrize("front", ["", "ID3v2", "joined"])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_macos_leaves_beside_files_is_no_part_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fork: str, front: str, channels: int
) -> None:
    """libsndfile looks for resource forks beside the file, and for a view in the working directory."""
    (tmp_path / fork).parent.mkdir(exist_ok=True)
    (tmp_path / fork).write_bytes(FORK)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.chdir(tmp_path)
    part = encoded("MP3", np.stack([sweep(1.0)] * channels, 1))
    data = {"": part, "ID3v2": b"ID3\x04\0\0\0\0\x08\0" + bytes(1024) + part, "joined": part + part}[front]
    expected = np.concatenate([sweep(1.0)] * (2 if front == "joined" else 1))
    assert is_whole(write(tmp_path, "MP3", data), expected, RATE, 2 * PACKET_S)
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("kind", ["MP3", "OGG VORBIS", "OGG OPUS", "FLAC PCM_16", "FLAC PCM_24"])
@pytest.mark.parametrize("damage", ["zeros", "junk", "one byte"])
@pytest.mark.parametrize("position", [0.3, 0.7])
def test_damage_in_the_middle(tmp_path: Path, kind: str, damage: str, position: float) -> None:
    audio = sweep(8.0, 48_000)
    data = encoded(kind, audio, 48_000)
    at = int(position * len(data))
    junk = np.random.default_rng(5).bytes(3000)
    data = {
        "zeros": data[:at] + bytes(200) + data[at + 200 :],
        "junk": data[:at] + junk + data[at:],
        "one byte": data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :],
    }[damage]
    path = write(tmp_path, kind, data)
    decoded = decode_sound(path)
    # Ogg loses the pages that were hit, of about a second each; the others a frame or two.
    lost = 8.0 - len(decoded) / 48_000
    assert lost < (2.2 if kind.startswith("OGG") else 0.35)
    assert lost > -PACKET_S
    assert correlation(decoded[-24_000:], audio[-24_000:]) > 0.9


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("position", [0.1, 0.31, 0.52, 0.73, 0.94])
def test_a_damaged_frame_of_flac_costs_one_frame(tmp_path: Path, channels: int, position: float) -> None:
    """Wherever it lies relative to the blocks that are read."""
    audio = sweep(4.0, 48_000)
    data = encoded("FLAC PCM_16", np.stack([audio] * channels, 1), 48_000, compression_level=0.0)
    at = int(position * len(data))
    path = write(tmp_path, "FLAC", data[:at] + bytes(50) + data[at + 50 :])
    found = decode_sound(path, normalize=False)
    assert len(found) == len(audio)
    assert np.count_nonzero(np.abs(found - audio) > 1e-3) <= 2 * 4608


FLAC_TOTALS = {"none": 0, "one": 1, "half": 72_000, "a frame too few": 140_000}


@pytest.mark.parametrize("total", FLAC_TOTALS)
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_flac_that_states_too_little(tmp_path: Path, total: str, count: int, subtype: str) -> None:
    audio = sweep(3.0, 48_000)
    data = encoded(f"FLAC {subtype}", audio, 48_000)
    data = overwritten(data, (21, bytes([data[21] & 0xF0]) + struct.pack(">I", FLAC_TOTALS[total])))
    path = write(tmp_path, "FLAC", data * count)
    assert is_whole(path, np.concatenate([audio] * count), 48_000)


@pytest.mark.parametrize("size", [60, 5000])
def test_metadata_of_flac_may_hold_the_mark_of_flac(tmp_path: Path, size: int) -> None:
    audio = sweep(1.0, 48_000)
    data = encoded("FLAC PCM_16", audio, 48_000)
    block = b"test" + b"fLaC\0\0\0\x22" + bytes(size)
    data = data[:42] + b"\x02" + len(block).to_bytes(3, "big") + block + data[42:]
    assert is_whole(write(tmp_path, "FLAC", data), audio, 48_000)


def damaged_pages(data: bytes, share: float) -> bytes:
    """Ogg of which the last pages are damaged in one byte each."""
    changed, starts = bytearray(data), [n for n in range(len(data)) if data.startswith(b"OggS\0", n)]
    for start in starts[max(3, round(len(starts) * (1 - share))) :]:
        changed[min(start + 200, len(data) - 1)] ^= 0x55
    return bytes(changed)


@pytest.mark.parametrize("kind", ["OGG VORBIS", "OGG OPUS"])
@pytest.mark.parametrize(("share", "is_read"), [(0.0, True), (0.2, True), (0.7, False), (0.9, False)])
def test_ogg_of_which_most_is_damaged_is_not_taken_for_a_short_sound(
    tmp_path: Path, kind: str, share: float, is_read: bool
) -> None:
    audio = sweep(12.0, 48_000)
    path = write(tmp_path, kind, damaged_pages(encoded(kind, audio, 48_000), share))
    if is_read:
        assert len(decode_sound(path)) / 48_000 > 12 * (1 - share) - 2.2
    else:
        with pytest.raises(SoundError, match=r"the file is damaged: \d\.\d s of 1\d\.\d s could be read"):
            decode_sound(path)


def overwritten(data: bytes, *fields: tuple[int, bytes]) -> bytes:
    changed = bytearray(data)
    for at, new in fields:
        changed[at : at + len(new)] = new
    return bytes(changed)


def wav_sizes(data: bytes, value: int, both: bool = True) -> bytes:
    at = data.index(b"data") + 4
    size = struct.pack("<I", value)
    return overwritten(data, (at, size), *([(4, size)] if both else []))


def aiff_sizes(data: bytes, value: int) -> bytes:
    size = struct.pack(">I", value)
    return overwritten(data, (4, size), (data.index(b"SSND") + 4, size), (data.index(b"COMM") + 10, size))


def zero_but_for_the_chunk(data: bytes, mark: bytes) -> bytes:
    at = data.index(b"data")
    return mark + overwritten(data, (20, bytes(24)), (at + 4, struct.pack("<I", len(data) - at - 8)))[4:]


NEVER_CLOSED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "WAV zero": ("WAV PCM_16", lambda data: wav_sizes(data, 0)),
    "WAV 24 bits zero": ("WAV PCM_24", lambda data: wav_sizes(data, 0)),
    "WAV data zero": ("WAV FLOAT", lambda data: wav_sizes(data, 0, both=False)),
    "WAV unknown": ("WAV PCM_16", lambda data: wav_sizes(data, 0xFFFFFFFF)),
    "WAV 2 GB": ("WAV PCM_16", lambda data: wav_sizes(data, 0x7FFFF000)),
    "RF64 zero": ("RF64 PCM_24", lambda data: overwritten(data, (20, bytes(24)))),
    "RF64 unknown": ("RF64 PCM_24", lambda data: overwritten(data, (20, b"\xff" * 16))),
    "BW64": ("RF64 PCM_24", lambda data: b"BW64" + data[4:]),
    "BW64 zero": ("RF64 PCM_16", lambda data: b"BW64" + overwritten(data, (20, bytes(24)))[4:]),
    "RF64 zero, chunk known": ("RF64 PCM_24", lambda data: zero_but_for_the_chunk(data, b"RF64")),
    "BW64 zero, chunk known": ("RF64 FLOAT", lambda data: zero_but_for_the_chunk(data, b"BW64")),
    "W64 zero": ("W64 PCM_16", lambda data: overwritten(data, (16, bytes(8)), (data.index(b"data") + 16, bytes(8)))),
    "W64 unknown": ("W64 PCM_16", lambda data: overwritten(data, (data.index(b"data") + 16, b"\xff" * 8))),
    "AU zero": ("AU PCM_16", lambda data: overwritten(data, (8, bytes(4)))),
    "AU unknown": ("AU PCM_16", lambda data: overwritten(data, (8, b"\xff" * 4))),
    "CAF unknown": ("CAF PCM_16", lambda data: overwritten(data, (data.index(b"data") + 4, b"\xff" * 8))),
    "CAF zero": ("CAF PCM_24", lambda data: overwritten(data, (data.index(b"data") + 4, bytes(8)))),
    "AIFF zero": ("AIFF PCM_16", lambda data: aiff_sizes(data, 0)),
    "AIFF unknown": ("AIFF PCM_24", lambda data: aiff_sizes(data, 0xFFFFFFFF)),
    "AIFF frames zero": ("AIFF PCM_16", lambda data: overwritten(data, (data.index(b"COMM") + 10, bytes(4)))),
}


@pytest.mark.parametrize("case", NEVER_CLOSED)
@pytest.mark.parametrize("channels", [1, 2])
def test_recordings_that_were_never_closed(tmp_path: Path, case: str, channels: int) -> None:
    kind, change = NEVER_CLOSED[case]
    audio = sweep(3.0, 48_000)
    data = encoded(kind, audio if channels == 1 else np.stack([audio, audio], 1), 48_000)
    assert is_whole(write(tmp_path, kind, change(data)), audio, 48_000)


def test_an_empty_recording_is_still_empty(tmp_path: Path) -> None:
    for kind in ("WAV PCM_16", "AIFF PCM_16", "AU PCM_16", "CAF PCM_16", "W64 PCM_16", "RF64 PCM_16"):
        path = write(tmp_path, kind, encoded(kind, np.zeros(0, np.float32)))
        with pytest.raises(SoundError, match=r"no samples|none of its sound|cannot be read|cut off"):
            decode_sound(path)


def voc(audio: Array, kind: int, block: int, channels: int) -> bytes:
    """A VOC file of blocks of ``block`` samples, as programs write it that do not know the length beforehand."""
    bits = 8 if kind == 1 else 16
    samples = np.stack([audio] * channels, 1)
    data = (samples * 127 + 128).astype(np.uint8) if bits == 8 else (samples * 32767).astype("<i2")
    head = bytes([256 - 1_000_000 // RATE, 0]) if kind == 1 else struct.pack("<IBBHI", RATE, bits, channels, 4, 0)
    whole = b"Creative Voice File\x1a" + struct.pack("<HHH", 26, 0x010A, 0x1129)
    for at in range(0, len(audio), block):
        body = (head if at == 0 else b"") + data[at : at + block].tobytes()
        whole += bytes([kind if at == 0 else 2]) + len(body).to_bytes(3, "little") + body
    return whole + b"\0"


@pytest.mark.parametrize("block", [500, 1024, 30_000, 1_000_000])
@pytest.mark.parametrize(("kind", "channels"), [(1, 1), (9, 1), (9, 2), (9, 6)])
@pytest.mark.parametrize("tag", ["", "ID3v1", "zeros"])
def test_voc_in_blocks(tmp_path: Path, block: int, kind: int, channels: int, tag: str) -> None:
    audio = sweep(2.0)
    path = tmp_path / "a.voc"
    path.write_bytes(voc(audio, kind, block, channels) + TAGS.get(tag, b""))
    rate = 1_000_000 // (1_000_000 // RATE) if kind == 1 else RATE
    assert is_whole(path, audio, rate, 2 / RATE)
    found = decode_sound(path, normalize=False)
    # The head of a block would be a click.
    assert np.abs(np.diff(found)).max() < 1.5 * np.abs(np.diff(audio)).max() + 0.02


def svx(left: Array, right: Array | None, form: bytes, claimed: int | None = None) -> bytes:
    """An Amiga file: mono, or the left channel and behind it the right one."""
    kind, scale = ("i1", 127) if form == b"8SVX" else (">i2", 32767)
    body = b"".join((channel * scale).astype(kind).tobytes() for channel in (left, right) if channel is not None)
    head = struct.pack(">IIIHBBI", len(left), 0, 0, 22_050, 1, 0, 1 << 16)
    chunks = form + b"VHDR" + struct.pack(">I", len(head)) + head
    chunks += b"" if right is None else b"CHAN" + struct.pack(">II", 4, 6)
    chunks += b"BODY" + struct.pack(">I", len(body) if claimed is None else claimed) + body
    return b"FORM" + struct.pack(">I", len(chunks)) + chunks


@pytest.mark.parametrize("form", [b"8SVX", b"16SV"])
@pytest.mark.parametrize("claimed", [None, 0, 0xFFFFFFFF])
@pytest.mark.parametrize("tag", ["", "ID3v2"])
def test_channels_that_follow_one_another(tmp_path: Path, form: bytes, claimed: int | None, tag: str) -> None:
    left, right = sweep(2.0, 22_050), sweep(2.0, 22_050, 3)
    path = tmp_path / "a.8svx"
    before = b"ID3\x04\0\0\0\0\x08\0" + bytes(1024) if tag else b""
    data = before + svx(left, right, form, claimed)
    path.write_bytes(data)
    with open_sound(path) as sound:
        read = np.concatenate([block.copy() for block in sound.blocks()])
    assert read.shape == (len(left), 2)
    assert np.abs(read - np.stack([left, right], 1)).max() < 0.02
    assert is_whole(path, (left + right) / 2, 22_050)
    if claimed is None:
        path.write_bytes(data[: -len(left) // 4])
        with pytest.raises(SoundError, match="cut off"):
            decode_sound(path)
    path.write_bytes(before + svx(left, None, form, claimed))
    assert is_whole(path, left, 22_050)


@pytest.mark.parametrize("block", [1024, 30_000, 1_000_000])
@pytest.mark.parametrize(("kind", "channels"), [(1, 1), (9, 1), (9, 2)])
def test_voc_that_was_never_closed_and_one_that_is_cut_off(
    tmp_path: Path, block: int, kind: int, channels: int
) -> None:
    audio = sweep(2.0)
    path = tmp_path / "a.voc"
    data = voc(audio, kind, block, channels)[:-1]
    path.write_bytes(data)
    rate = 1_000_000 // (1_000_000 // RATE) if kind == 1 else RATE
    assert is_whole(path, audio, rate, 2 / RATE)
    path.write_bytes(data[: -len(data) // 3])
    if block > len(audio) // 2:  # otherwise what is missing are whole blocks, of which nothing tells
        with pytest.raises(SoundError, match="cut off"):
            decode_sound(path)


@pytest.mark.parametrize("kind", ["OGG VORBIS", "OGG OPUS", "WAV PCM_16", "AU PCM_16"])
def test_a_file_without_samples_is_called_empty(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SoundError, match="is empty"):
        decode_sound(write(tmp_path, kind, encoded(kind, np.zeros(0, np.float32), 48_000)))


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("tag", ["ID3v1", "APE", "zeros"])
def test_nist_ends_where_it_says(tmp_path: Path, subtype: str, tag: str) -> None:
    audio, path = sweep(2.001), tmp_path / "a.nist"
    data = encoded(f"NIST {subtype}", np.stack([audio, audio], 1))
    path.write_bytes(data + TAGS[tag])
    assert is_whole(path, audio)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SoundError, match="cut off"):
        decode_sound(path)


def ogg_pages(serial: int, packets: list[bytes], granules: list[int]) -> bytes:
    """Ogg pages of whole packets, one each; checksums are those of RFC 3533."""
    data = b""
    for number, (packet, granule) in enumerate(zip(packets, granules, strict=True)):
        flags = (2 if number == 0 else 0) | (4 if number == len(packets) - 1 else 0)
        lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        page = b"OggS\0" + bytes([flags]) + struct.pack("<qIII", granule, serial, number, 0) + bytes([len(lacing)])
        page += lacing + packet
        crc = 0
        for byte in page:
            crc ^= byte << 24
            for _ in range(8):
                crc = ((crc << 1) ^ 0x04C11DB7) & 0xFFFFFFFF if crc & 0x80000000 else crc << 1
        data += page[:22] + struct.pack("<I", crc) + page[26:]
    return data


def test_flac_in_ogg_and_a_picture_track(tmp_path: Path) -> None:
    audio = sweep(0.9)
    flac = encoded("FLAC PCM_16", audio)
    at, blocks = 4, []
    while True:
        size = 4 + int.from_bytes(flac[at + 1 : at + 4], "big")
        blocks.append(flac[at : at + size])
        at += size
        if blocks[-1][0] & 0x80:
            break
    first = b"\x7fFLAC\x01\0" + struct.pack(">H", len(blocks) - 1) + b"fLaC" + blocks[0]
    frames = [flac[at + n : at + n + 60_000] for n in range(0, len(flac) - at, 60_000)]
    path = tmp_path / "a.oga"
    path.write_bytes(ogg_pages(7, [first, *blocks[1:], *frames], [0] * len(blocks) + [len(audio)] * len(frames)))
    assert is_whole(path, audio)
    picture = ogg_pages(9, [b"\x80theora" + bytes(40)], [0])
    (tmp_path / "b.ogg").write_bytes(picture + encoded("OGG VORBIS", sweep(1.0)))
    assert is_whole(tmp_path / "b.ogg", sweep(1.0), tolerance_s=PACKET_S)


def unfinished_aiff(kept: int) -> bytes:
    """An AIFF of an unknown length of which only the beginning was written."""
    whole = aiff_sizes(encoded("AIFF PCM_16", sweep(0.1)), 0)
    at = whole.index(b"SSND")
    return overwritten(whole, (at + 4, struct.pack(">I", 900)))[: at + kept]


def mp3_that_ends_in_its_length(kept: int) -> bytes:
    return (bytes([0xFF, 0xFB, 0x90, 0x64]) + bytes(32) + b"Xing" + (3).to_bytes(4, "big") + bytes(8))[: 32 + kept]


@pytest.mark.parametrize("kept", range(1, 20))
@pytest.mark.parametrize(("make", "name"), [(unfinished_aiff, "a.aiff"), (mp3_that_ends_in_its_length, "a.mp3")])
def test_a_file_that_ends_within_its_header_is_refused(
    tmp_path: Path, make: Callable[[int], bytes], name: str, kept: int
) -> None:
    path = tmp_path / name
    path.write_bytes(make(kept))
    with pytest.raises(SoundError):
        read_header(path)


def test_a_small_voc_does_not_claim_gigabytes_of_silence(tmp_path: Path) -> None:
    sound = sweep(0.2)
    silence = bytes([3]) + (3).to_bytes(3, "little") + b"\xff\xff" + b"\x00"
    path = tmp_path / "a.voc"
    path.write_bytes(voc(sound, 1, 100_000, 1)[:-1] + silence * 20_000 + b"\0")
    tracemalloc.start()
    try:
        with pytest.raises(SoundError):
            read_header(path)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("after", [0, 20, 200])
def test_a_disk_that_fails_while_a_file_is_read_is_not_the_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Nor of the cache, which would end the run: the one file is left out, and tried again next time."""
    path = write(tmp_path, "MP3", encoded("MP3", sweep(3.0)) * 2)
    reads, count = ByteView._read_file, 0

    def fail(view: ByteView, position: int, target: memoryview) -> int:
        nonlocal count
        count += 1
        if count <= after:
            return reads(view, position, target)
        view.error = OSError(errno.EIO, "Input/output error")
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(ByteView, "_read_file", fail)
        with pytest.raises(UnreachableSoundError, match="cannot be read"):
            SoundCache().get(path)
    assert SoundCache().get(path).duration_s == pytest.approx(6.0, abs=2 * PACKET_S)
